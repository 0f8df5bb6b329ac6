/** Facts of the nftables backend, and of firewalld, which has no place for owners and cannot drop: its owners and the
 *  ingress policy are kept here too. Pure. */
import { addressOf, cidrFamily } from '../../addr/cidr.ts'
import type { NftElement, NftFact } from '../../kernel/nft.ts'
import { commentOf, linkNameOf } from '../../kernel/owner.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import type { FirewallConf } from './conf.ts'
import type { Pod } from './pod.ts'
import { BRIDGE_TABLE, FIREWALL_TABLE, NAMES, POLICED, POLICIES, PORTS, SHARED } from './table.ts'

const fact = (table: Table, elements: readonly NftElement[]): NftFact => ({ kind: 'nft', ns: 'node', table, elements })

const podElements = ({ owner, sources, host }: Pod): NftElement[] =>
  sources.flatMap((source) => {
    const set = NAMES[cidrFamily(source)].pods
    return host === undefined ? [] : [{ set, key: [addressOf(source), host], comment: commentOf(owner) }]
  })

const zonedElements = ({ owner, sources }: Pod): NftElement[] =>
  sources.map((source) => ({
    set: NAMES[cidrFamily(source)].zoned,
    key: [addressOf(source)],
    comment: commentOf(owner),
  }))

const policyElement = ({ ingressPolicy }: FirewallConf, { owner, host = '' }: Pod): NftElement[] =>
  ingressPolicy === 'open'
    ? []
    : [{ set: POLICIES[ingressPolicy].attachments, key: [host, linkNameOf('', owner)], comment: commentOf(owner) }]

/** Behind the attachment's own elements: a bridge with an attachment keeps its policy, so another attachment's DEL, at
 *  any time, leaves these alone. */
const policyFacts = ({ ingressPolicy }: FirewallConf, { owner, host = '', ports }: Pod): NftFact[] => {
  if (ingressPolicy === 'open') return []
  const isolated = ports.map((port) => ({ set: PORTS, key: [port], comment: commentOf(owner) }))
  return [
    ...(ingressPolicy === 'isolated' ? [fact(BRIDGE_TABLE, isolated)] : []),
    fact(FIREWALL_TABLE, [
      { set: POLICED, key: [host], comment: SHARED },
      { set: POLICIES[ingressPolicy].bridges, key: [host, host], comment: SHARED },
    ]),
  ]
}

export const planNftables = (conf: FirewallConf, pod: Pod): Plan => [
  fact(FIREWALL_TABLE, [...podElements(pod), ...policyElement(conf, pod)]),
  ...policyFacts(conf, pod),
]

/** Owners first: whatever happens then, DEL finds the sources. */
export const planFirewalld = (conf: FirewallConf, pod: Pod): Plan => [
  fact(FIREWALL_TABLE, [...zonedElements(pod), ...policyElement(conf, pod)]),
  ...pod.sources.map((source) => ({ kind: 'firewalld-source', zone: conf.zone, source }) as const),
  ...policyFacts(conf, pod),
]
