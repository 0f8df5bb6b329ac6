/** Whether an nftables table or chain exists, and what a chain's policy is: one request, no dump. linux/netfilter/nf_tables.h. */
import { be16, concat, decodeAttrs, NLM_F_REQUEST, readBe32, u8 } from '../netlink/message.ts'
import type { Reply } from '../netlink/socket.ts'
import type { Kernel } from './kernel.ts'
import type { Ns } from './plan.ts'

const NFNL_SUBSYS_NFTABLES = 10 << 8
const NFT_MSG_GETTABLE = NFNL_SUBSYS_NFTABLES | 1
const NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES | 4
const NFTA_TABLE_NAME = 1
const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_NAME = 3

const NFT_MSG_GETGEN = NFNL_SUBSYS_NFTABLES | 16
const NFTA_CHAIN_POLICY = 5
const NFGENMSG_SIZE = 4

const ask = (
  kernel: Kernel,
  ns: Ns,
  family: number,
  type: number,
  attrs: readonly [number, string][],
): Reply | undefined => {
  const header = concat(u8(family), u8(0), be16(0))
  try {
    return kernel.netfilter(ns).exchange([{ type, flags: NLM_F_REQUEST, header, attrs }])[0]
  } catch {
    return undefined // a kernel without nftables answers nothing
  }
}

const isFound = (reply: Reply | undefined): boolean => reply?.errno === 0

/** Whether the kernel has nftables, and lets this process use it. */
export const hasNft = (kernel: Kernel, ns: Ns): boolean => isFound(ask(kernel, ns, 0, NFT_MSG_GETGEN, []))

/** `family` is an NFPROTO number: 1 inet, 2 ip, 7 bridge, 10 ip6. */
export const hasNftTable = (kernel: Kernel, ns: Ns, family: number, table: string): boolean =>
  isFound(ask(kernel, ns, family, NFT_MSG_GETTABLE, [[NFTA_TABLE_NAME, table]]))

const askChain = (kernel: Kernel, ns: Ns, family: number, table: string, chain: string): Reply | undefined =>
  ask(kernel, ns, family, NFT_MSG_GETCHAIN, [
    [NFTA_CHAIN_TABLE, table],
    [NFTA_CHAIN_NAME, chain],
  ])

export const hasNftChain = (kernel: Kernel, ns: Ns, family: number, table: string, chain: string): boolean =>
  isFound(askChain(kernel, ns, family, table, chain))

/** The policy of a base chain: 0 drop, 1 accept; undefined when there is no such chain. */
export const readPolicy = (
  kernel: Kernel,
  ns: Ns,
  family: number,
  table: string,
  chain: string,
): number | undefined => {
  const found = askChain(kernel, ns, family, table, chain)?.messages[0]
  if (found === undefined) return undefined
  return readBe32(decodeAttrs(found.body.subarray(NFGENMSG_SIZE)).get(NFTA_CHAIN_POLICY))
}
