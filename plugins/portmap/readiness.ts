/** STATUS: whether the backend would take what ADD sends, found out without changing anything. */
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'
import { hasIptables } from '../../kernel/iptables-command.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { refusalOf } from '../../kernel/nft-trial.ts'
import type { Backend } from './conf.ts'
import { HOSTPORT_TABLE } from './hostport-table.ts'

const requireIptables = (): void => {
  if (hasIptables(4)) return
  throw new CniError(
    ERR_UNAVAILABLE,
    'portmap cannot publish ports: "backend" is "iptables", and iptables-save or iptables-restore is not on this node',
    'install iptables, or set "backend" to "nftables"',
  )
}

const requireNftables = (kernel: Kernel): void => {
  const refusal = refusalOf(kernel, 'node', HOSTPORT_TABLE)
  if (refusal === undefined) return
  throw new CniError(
    ERR_UNAVAILABLE,
    `portmap cannot publish ports: the kernel refuses NAT by nftables (${refusal.message})`,
    'modprobe nf_tables nft_chain_nat nft_fib_inet nft_masq; or set "backend" to "iptables"',
  )
}

/** @throws CniError 50 with what to do */
export const requireBackend = (backend: Backend, kernel: Kernel): void =>
  backend === 'iptables' ? requireIptables() : requireNftables(kernel)
