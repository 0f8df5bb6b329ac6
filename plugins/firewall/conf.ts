/** The keys of `firewall`, typed. Upstream: containernetworking/plugins `plugins/meta/firewall`. */
import type { Call } from '../../cni/plugin.ts'

export type Backend = 'nftables' | 'iptables' | 'firewalld'
/** `open`: nothing is dropped. `same-bridge`: what comes from another bridge with a policy is dropped. `isolated`: also
 *  what comes from the same bridge. */
export type IngressPolicy = 'open' | 'same-bridge' | 'isolated'

export interface FirewallConf {
  /** undefined: chosen by what the node has. */
  readonly backend: Backend | undefined
  readonly adminChain: string
  /** The configuration names the iptables chain, so it means that backend unless it says otherwise. */
  readonly namesAdminChain: boolean
  readonly zone: string
  readonly ingressPolicy: IngressPolicy
}

/** The keys as the schema `conf/schemas/firewall.json` lets them through; '' is as good as absent. */
interface Keys {
  readonly backend?: Backend | ''
  readonly iptablesAdminChainName?: string
  readonly firewalldZone?: string
  readonly ingressPolicy?: IngressPolicy | ''
}

export const ADMIN_CHAIN = 'CNI-ADMIN'

export const parseFirewallConf = (call: Call): FirewallConf => {
  const keys = call.conf as Keys
  return {
    backend: keys.backend || undefined,
    adminChain: keys.iptablesAdminChainName || ADMIN_CHAIN,
    namesAdminChain: Boolean(keys.iptablesAdminChainName),
    zone: keys.firewalldZone || 'trusted',
    ingressPolicy: keys.ingressPolicy || 'open',
  }
}
