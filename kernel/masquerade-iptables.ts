/** `ipMasq` of bridge and ptp by iptables, as the reference plugins lay it out: one chain for each container in `nat`, which
 *  lets traffic to the pod's own network through and masquerades the rest. */
import { addressOf, type Cidr, cidrFamily, networkOf } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import type { AttachmentId } from '../cni/plugin.ts'
import { ruleOf } from '../netfilter/iptables-rule.ts'
import { type IptablesFact, iptablesOperations } from './iptables.ts'
import { staleIptables } from './iptables-gc.ts'
import { chainNameOf, iptablesComment } from './iptables-names.ts'
import type { Kernel } from './kernel.ts'
import { commentOf, type Owner } from './owner.ts'

const FAMILIES = [4, 6] as const
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

const factOf = (owner: Owner, family: Family, addresses: readonly Cidr[]): IptablesFact => {
  const name = chainNameOf(owner)
  const comment = ['-m', 'comment', '--comment', iptablesComment(owner)]
  const networks = [...new Set(addresses.map(networkOf))]
  const sources = addresses.map(addressOf)
  const rules = [
    ...networks.map((network) => ruleOf('-d', network, ...comment, '-j', 'ACCEPT')),
    `! ${ruleOf('-d', MULTICAST[family], ...comment, '-j', 'MASQUERADE')}`,
    ...sources.map((source) => ruleOf('-s', source, '-m', 'comment', '--comment', commentOf(owner))),
  ]
  const jumps = sources.map((source) => ({
    chain: 'POSTROUTING',
    rule: ruleOf('-s', source, ...comment, '-j', name),
    position: 'last' as const,
  }))
  return {
    kind: 'iptables',
    ns: 'node',
    family,
    table: 'nat',
    owner,
    chains: [{ name, rules }],
    shared: [],
    rules: jumps,
  }
}

/** What must hold for the pod's `addresses` (with the prefix lengths of their subnets) to be masqueraded: one fact for each
 *  family among them. */
export const masqueradeIptables = (owner: Owner, addresses: readonly Cidr[]): IptablesFact[] =>
  FAMILIES.map((family) => ({ family, own: addresses.filter((address) => cidrFamily(address) === family) }))
    .filter(({ own }) => own.length > 0)
    .map(({ family, own }) => factOf(owner, family, own))

/** Takes the masquerade of `owner` away, also what the reference plugins made, without knowing an address. Forks nothing
 *  when the node has no such chain. */
export const removeMasqueradeIptables = (owner: Owner, kernel: Kernel): void => {
  for (const family of FAMILIES) {
    const chains = [{ name: chainNameOf(owner), rules: [] }]
    const fact = { kind: 'iptables', ns: 'node', family, table: 'nat', owner, chains, shared: [], rules: [] } as const
    iptablesOperations.remove(fact, kernel)
  }
}

/** Takes away the masquerade of every attachment of `network` that is not in `valid`. */
export const collectMasqueradeIptables = (network: string, valid: readonly AttachmentId[], kernel: Kernel): void => {
  for (const family of FAMILIES)
    for (const fact of staleIptables({ ns: 'node', family, table: 'nat' }, network, valid, kernel))
      iptablesOperations.remove(fact, kernel)
}
