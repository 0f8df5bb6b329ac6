/** The nftables backend's two tables. Everything is elements: of an attachment, with its owner as comment; of a bridge, with
 *  SHARED; and the administrator's, which are never touched. */
import { concatOf, ct, meta, payload } from '../../netfilter/expression.ts'
import type { Chain, Rule, SetDecl, Statement, Table } from '../../netfilter/ruleset.ts'
import { accept, drop, equals, goBack, inSet, jump, rule } from '../../netfilter/statement.ts'

/** Comment of elements that all attachments to a bridge share. No owner is called so: it has no slash. */
export const SHARED = 'podwire'

/** NF_IP_PRI_FILTER and NF_BR_PRI_FILTER_BRIDGED. */
const FILTER = 0
const FILTER_BRIDGED = -200

export const NAMES = {
  4: { ip: 'ip', type: 'ipv4_addr', admin: 'admin-ips', pods: 'pod-ips', zoned: 'firewalld-ips' },
  6: { ip: 'ip6', type: 'ipv6_addr', admin: 'admin-ip6s', pods: 'pod-ip6s', zoned: 'firewalld-ip6s' },
} as const
type Names = (typeof NAMES)[4] | (typeof NAMES)[6]
const BOTH: readonly Names[] = [NAMES[4], NAMES[6]]

/** The sets of one policy: which attachments have it, and on which bridges packets feel it. */
export const POLICIES = {
  'same-bridge': { attachments: 'same-bridge-attachments', bridges: 'same-bridge' },
  isolated: { attachments: 'isolated-attachments', bridges: 'isolated-bridges' },
} as const
export const POLICED = 'policed-bridges'

const setsOf = ({ type, admin, pods, zoned }: Names): SetDecl[] => [
  {
    name: admin,
    key: [type, type, 'inet_proto', 'inet_service'],
    data: 'verdict',
    interval: true,
    comment: 'yours: source . destination . protocol . port : accept or drop, before all else',
  },
  { name: pods, key: [type, 'ifname'], comment: 'address of a pod . interface it is behind' },
  { name: zoned, key: [type], comment: 'addresses of pods put into a zone of firewalld' },
]

const bridgeSets: readonly SetDecl[] = [
  { name: POLICED, key: ['ifname'], comment: 'bridges with an ingress policy' },
  ...Object.values(POLICIES).flatMap(({ attachments, bridges }): SetDecl[] => [
    { name: bridges, key: ['ifname', 'ifname'], comment: 'a bridge . itself' },
    { name: attachments, key: ['ifname', 'ifname'], comment: 'a bridge . hash of an attachment to it' },
  ]),
]

const adminRule = ({ ip, admin }: Names): Rule => {
  const key = concatOf(payload(`${ip} saddr`), payload(`${ip} daddr`), meta('l4proto'), payload('th dport'))
  return rule({ kind: 'vmap', key, map: admin })
}
const acceptRules = ({ ip, pods }: Names): Rule[] => {
  const established: Statement = equals(ct('state'), ['established', 'related'])
  return [
    rule(established, inSet(pods, payload(`${ip} daddr`), meta('oifname')), accept),
    rule(inSet(pods, payload(`${ip} saddr`), meta('iifname')), accept),
  ]
}

const policyRules = (): Rule[] => {
  const through = concatOf(meta('iifname'), meta('oifname'))
  return [
    rule({ kind: 'lookup', key: through, set: POLICIES.isolated.bridges }, drop),
    rule({ kind: 'lookup', key: through, set: POLICIES['same-bridge'].bridges }, goBack),
    rule(inSet(POLICED, meta('iifname')), inSet(POLICED, meta('oifname')), drop),
  ]
}

const forwardChains = (): Chain[] => [
  { name: 'ingress-policy', rules: policyRules() },
  {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: FILTER },
    rules: [...BOTH.map(adminRule), rule(jump('ingress-policy')), ...BOTH.flatMap(acceptRules)],
  },
]

export const FIREWALL_TABLE: Table = {
  family: 'inet',
  name: 'podwire-firewall',
  layout: 'e8433e64a1dee13b',
  sets: [...BOTH.flatMap(setsOf), ...bridgeSets],
  get chains() {
    return forwardChains()
  },
}

/** The ports of containers that nothing else on their bridge shall reach. */
export const PORTS = 'isolated-ports'

/** What never reaches the hooks of IP unless br_netfilter is on: frames from one port of a bridge to another. */
export const BRIDGE_TABLE: Table = {
  family: 'bridge',
  name: 'podwire-firewall',
  layout: 'abebbb6f6ec487ad',
  sets: [{ name: PORTS, key: ['ifname'] }],
  get chains() {
    return bridgeChains()
  },
}

const bridgeChains = (): Chain[] => [
  {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: FILTER_BRIDGED },
    rules: (['iifname', 'oifname'] as const).flatMap((port) =>
      ['ip', 'ip6'].map((protocol) => rule(equals(meta('protocol'), protocol), inSet(PORTS, meta(port)), drop)),
    ),
  },
]
