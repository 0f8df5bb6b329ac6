/** The nftables layout of published ports: data, not rules. A port is one element of a map; what must be masqueraded is one
 *  element of a set. The rules are few, always the same, and read by `nft list table inet podwire-hostport`.
 *
 *      prerouting, output: to an address of the node?  -> hostports: look the port up, first with the address, then without
 *      postrouting: translated?                        -> masquerade: look up pod, host port and source
 *
 *  A network with conditions has a table of its own, so that no network's conditions touch another's ports. */
import type { Family } from '../../addr/ip.ts'
import { hashOf } from '../../kernel/owner.ts'
import { concatOf, ct, type Expr, fib, mapOf, meta, payload } from '../../netfilter/expression.ts'
import { DSTNAT, RAW, SRCNAT } from '../../netfilter/priority.ts'
import type { Chain, Rule, SetDecl, Statement, Table } from '../../netfilter/ruleset.ts'
import { differs, drop, equals, inSet, jump, masquerade, rule } from '../../netfilter/statement.ts'

export const TABLE_NAME = 'podwire-hostport'

/** Names of a family's sets, and how its addresses are called. */
export const SETS = {
  4: {
    ip: 'ip',
    nfproto: 'ipv4',
    type: 'ipv4_addr',
    ports: 'hostports-ipv4',
    addressed: 'hostip-hostports-ipv4',
    masquerade: 'masquerade-ipv4',
  },
  6: {
    ip: 'ip6',
    nfproto: 'ipv6',
    type: 'ipv6_addr',
    ports: 'hostports-ipv6',
    addressed: 'hostip-hostports-ipv6',
    masquerade: 'masquerade-ipv6',
  },
} as const

const FAMILIES = [4, 6] as const
const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const

const setsOf = (family: Family): SetDecl[] => {
  const { type, ports, addressed, masquerade: sources } = SETS[family]
  const target = [type, 'inet_service'] as const
  return [
    { name: ports, key: ['inet_proto', 'inet_service'], data: target, comment: 'host port : pod . port' },
    { name: addressed, key: [type, 'inet_proto', 'inet_service'], data: target, comment: 'the same on one address' },
    {
      name: sources,
      key: [type, 'inet_proto', 'inet_service', type],
      interval: true,
      comment: 'pod . host port . source to masquerade',
    },
  ]
}

const address = (family: Family, end: 'saddr' | 'daddr'): Expr => payload(`${SETS[family].ip} ${end}`)

/** Translates to what a map holds; the rule has no effect for what is not in it. */
const translate = (family: Family, map: string, ...key: readonly Expr[]): Statement => ({
  kind: 'dnat',
  family: SETS[family].ip,
  to: mapOf(concatOf(...key), map),
})

const hostportRules = (family: Family): Rule[] => {
  const { nfproto, ports, addressed } = SETS[family]
  const port = [meta('l4proto'), payload('th dport')] as const
  return [
    rule(translate(family, addressed, address(family, 'daddr'), ...port)),
    rule(equals(meta('nfproto'), nfproto), translate(family, ports, ...port)),
  ]
}

/** One for each protocol: stock `nft` reads `proto-dst` only where the protocol is known. */
const masqueradeRules = (family: Family): Rule[] =>
  PROTOCOLS.map((protocol) =>
    rule(
      equals(meta('l4proto'), protocol),
      inSet(
        SETS[family].masquerade,
        address(family, 'daddr'),
        meta('l4proto'),
        ct('proto-dst', 'original'),
        address(family, 'saddr'),
      ),
      masquerade,
    ),
  )

const isLocal = (): Statement => equals(fib(['daddr'], 'type'), 'local')

type Conditions = Readonly<Record<Family, readonly string[]>>

/** Where packets enter: without conditions one rule, else one for each family behind its conditions. */
const entryRules = (conditions: Conditions): Rule[] => {
  if (FAMILIES.every((family) => conditions[family].length === 0)) return [rule(isLocal(), jump('hostports'))]
  return FAMILIES.map((family) =>
    rule(
      equals(meta('nfproto'), SETS[family].nfproto),
      ...(conditions[family].length === 0 ? [] : [{ kind: 'raw', text: conditions[family].join(' ') } as const]),
      isLocal(),
      jump('hostports'),
    ),
  )
}

const chainsOf = (conditions: Conditions): Chain[] => [
  {
    name: 'guard',
    comment: 'route_localnet opens 127.0.0.0/8 to the links of pods: closed again',
    base: { type: 'filter', hook: 'prerouting', priority: RAW },
    rules: [rule(differs(meta('iifname'), 'lo'), equals(payload('ip daddr'), '127.0.0.0/8'), drop)],
  },
  { name: 'hostports', rules: FAMILIES.flatMap(hostportRules) },
  { name: 'masquerading', rules: FAMILIES.flatMap(masqueradeRules) },
  {
    name: 'prerouting',
    base: { type: 'nat', hook: 'prerouting', priority: DSTNAT },
    rules: entryRules(conditions),
  },
  { name: 'output', base: { type: 'nat', hook: 'output', priority: DSTNAT }, rules: entryRules(conditions) },
  {
    name: 'postrouting',
    base: { type: 'nat', hook: 'postrouting', priority: SRCNAT },
    rules: [rule(equals(ct('status'), ['dnat']), jump('masquerading'))],
  },
]

const tableOf = (conditions: Conditions): Table => ({
  family: 'inet',
  name: TABLE_NAME,
  sets: FAMILIES.flatMap(setsOf),
  get chains() {
    return chainsOf(conditions)
  },
})

const NONE: Conditions = { 4: [], 6: [] }
/** The table of all networks without conditions. */
export const HOSTPORT_TABLE: Table = {
  family: 'inet',
  name: TABLE_NAME,
  layout: '1c74bce97273145d',
  sets: FAMILIES.flatMap(setsOf),
  get chains() {
    return chainsOf(NONE)
  },
}

const HASH_LENGTH = 12

/** The table that holds the ports of `network`: its own when it has conditions, under a name that says network, conditions
 *  and layout. */
export const hostportTable = (network: string, conditions: Conditions): Table => {
  if (FAMILIES.every((family) => conditions[family].length === 0)) return HOSTPORT_TABLE
  const table = tableOf(conditions)
  return { ...table, name: `${TABLE_NAME}-${hashOf(HASH_LENGTH, network, JSON.stringify(table))}` }
}
