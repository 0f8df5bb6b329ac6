/** Whether an nftables table or chain exists: one request, no dump. linux/netfilter/nf_tables.h. */
import { be16, concat, NLM_F_REQUEST, u8 } from '../netlink/message.ts'
import type { Kernel } from './kernel.ts'
import type { Ns } from './plan.ts'

const NFNL_SUBSYS_NFTABLES = 10 << 8
const NFT_MSG_GETTABLE = NFNL_SUBSYS_NFTABLES | 1
const NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES | 4
const NFTA_TABLE_NAME = 1
const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_NAME = 3

const exists = (kernel: Kernel, ns: Ns, family: number, type: number, attrs: readonly [number, string][]): boolean => {
  const header = concat(u8(family), u8(0), be16(0))
  try {
    return kernel.netfilter(ns).exchange([{ type, flags: NLM_F_REQUEST, header, attrs }])[0]?.errno === 0
  } catch {
    return false // a kernel without nftables holds no table
  }
}

/** `family` is an NFPROTO number: 1 inet, 2 ip, 7 bridge, 10 ip6. */
export const hasNftTable = (kernel: Kernel, ns: Ns, family: number, table: string): boolean =>
  exists(kernel, ns, family, NFT_MSG_GETTABLE, [[NFTA_TABLE_NAME, table]])

export const hasNftChain = (kernel: Kernel, ns: Ns, family: number, table: string, chain: string): boolean =>
  exists(kernel, ns, family, NFT_MSG_GETCHAIN, [
    [NFTA_CHAIN_TABLE, table],
    [NFTA_CHAIN_NAME, chain],
  ])
