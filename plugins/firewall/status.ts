/** Whether ADD could work now, and whether what it does would have the effect that is asked for. */
import { CniError, ERR_LIMITED, ERR_UNAVAILABLE } from '../../cni/error.ts'
import { isFirewalldRunning } from '../../kernel/firewalld.ts'
import { hasIptables } from '../../kernel/iptables-command.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { hasNft } from '../../kernel/nft-lookup.ts'
import { readSysctl } from '../../kernel/sysctl.ts'
import { chooseBackend } from './backend.ts'
import type { Backend, FirewallConf } from './conf.ts'
import { forwardObstacles } from './obstacle.ts'

const unavailable = (msg: string, details: string): never => {
  throw new CniError(ERR_UNAVAILABLE, msg, details)
}

const requireNftables = (kernel: Kernel): void => {
  if (!hasNft(kernel, 'node'))
    unavailable('backend "nftables" needs nf_tables, which this kernel does not offer', 'modprobe nf_tables')
}

const requireNoObstacle = (kernel: Kernel): void => {
  const obstacles = forwardObstacles(kernel)
  if (obstacles.length === 0) return
  throw new CniError(
    ERR_LIMITED,
    `other rules drop forwarded traffic, and an accept in podwire's table does not override them: ${obstacles[0]}`,
    `${obstacles.join('\n')}\nlet the pods through there, or use "backend": "iptables" (or "firewalld" where it runs)`,
  )
}

const requireIptables = (): void => {
  if (!hasIptables(4) && !hasIptables(6))
    unavailable('backend "iptables" needs iptables-save and iptables-restore', 'install iptables')
}

/** Packets between two ports of one bridge are seen by iptables only with br_netfilter. */
const requireBridgeNetfilter = (kernel: Kernel): void => {
  const sysctl = 'net/bridge/bridge-nf-call-iptables'
  if (readSysctl('node', sysctl, kernel) !== '1')
    unavailable(
      'ingressPolicy "isolated" has no effect between the pods of one bridge: iptables does not see their traffic',
      `modprobe br_netfilter && sysctl -w ${sysctl}=1, or use "backend": "nftables"`,
    )
}

const requireFirewalld = (): void => {
  if (!isFirewalldRunning()) unavailable('firewalld is not running on this node', 'systemctl start firewalld')
}

const CHECKS: Readonly<Record<Backend, (conf: FirewallConf, kernel: Kernel) => void>> = {
  nftables: (_conf, kernel) => {
    requireNftables(kernel)
    requireNoObstacle(kernel)
  },
  iptables: ({ ingressPolicy }, kernel) => {
    requireIptables()
    if (ingressPolicy === 'isolated') requireBridgeNetfilter(kernel)
  },
  firewalld: (_conf, kernel) => {
    requireFirewalld()
    requireNftables(kernel)
  },
}

/** @throws CniError 50, 51 */
export const requireReady = (conf: FirewallConf, kernel: Kernel): void =>
  CHECKS[chooseBackend(conf, kernel)](conf, kernel)
