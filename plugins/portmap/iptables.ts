/** Published ports as iptables rules, with the chains, comments and marks of the reference plugin, so that each deletes what
 *  the other made. Upstream: plugins/meta/portmap. */
import { addressOf, type Cidr, cidrFamily, networkOf } from '../../addr/cidr.ts'
import type { Family } from '../../addr/ip.ts'
import type { IptablesFact } from '../../kernel/iptables.ts'
import { chainNameOf, iptablesComment, trimComment } from '../../kernel/iptables-names.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import { ruleOf } from '../../netfilter/iptables-rule.ts'
import type { IptablesRule } from '../../netfilter/iptables-table.ts'
import type { Mapping, PortmapConf } from './conf.ts'
import { mappingsOf } from './nftables.ts'

const DNAT = 'CNI-HOSTPORT-DNAT'
const SETMARK = 'CNI-HOSTPORT-SETMARK'
const MASQ = 'CNI-HOSTPORT-MASQ'
/** Ports that one multiport match holds (linux/netfilter/xt_multiport.h). */
const MULTIPORT = 15

const chainOf = (owner: Owner): string => chainNameOf(owner, 'DN-')
/** Of versions before 0.9. */
const oldChainOf = (owner: Owner): string => chainNameOf(owner, 'SN-')

const shared = (chain: string, rule: string, position: 'first' | 'last'): IptablesRule => ({
  chain,
  rule,
  position,
  shared: true,
})
const commented = (text: string): readonly string[] => ['-m', 'comment', '--comment', text]

/** The rules that mark and masquerade, unless another program's chain does it. */
const markingRules = ({ snat, externalSetMarkChain, markMasqBit }: PortmapConf): readonly IptablesRule[] => {
  if (!snat || externalSetMarkChain !== undefined) return []
  const bit = `0x${(2 ** markMasqBit).toString(16)}`
  const mark = `${bit}/${bit}`
  return [
    shared(SETMARK, ruleOf(...commented('CNI portfwd masquerade mark'), '-j', 'MARK', '--set-xmark', mark), 'last'),
    shared(MASQ, ruleOf('-m', 'mark', '--mark', mark, '-j', 'MASQUERADE'), 'last'),
    shared('POSTROUTING', ruleOf(...commented('CNI portfwd requiring masquerade'), '-j', MASQ), 'first'),
  ]
}

const chunks = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))

/** The reference plugin puts all jumps last, whatever the addresses, and leaves no record of the attachment. */
export type Style = 'ours' | 'reference'

/** Jumps to the container's chain: one for each protocol and fifteen ports. Those for ports on one address of the node come
 *  before all others: what they do not translate goes on to the next. */
const jumps = (conf: PortmapConf, owner: Owner, family: Family, style: Style): IptablesRule[] => {
  const comment = commented(trimComment(`dnat ${iptablesComment(owner)}`))
  const isNarrow = ({ hostIP }: Mapping): boolean => style === 'ours' && hostIP !== undefined
  const groups = ['sctp', 'tcp', 'udp'].flatMap((protocol) =>
    [true, false].map((narrow) => ({
      protocol,
      position: narrow ? ('first' as const) : ('last' as const),
      ports: conf.mappings.filter((each) => each.protocol === protocol && isNarrow(each) === narrow),
    })),
  )
  return groups.flatMap(({ protocol, position, ports }) =>
    chunks([...new Set(ports.map(({ hostPort }) => hostPort))], MULTIPORT).map((list): IptablesRule => {
      const match = ['-p', protocol, ...comment, '-m', 'multiport', '--dports', list.join(',')]
      return { chain: DNAT, rule: ruleOf(...match, ...conf.conditions[family], '-j', chainOf(owner)), position }
    }),
  )
}

const EVERYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const

const sourcesOf = (family: Family, pod: Cidr, masqAll: boolean): readonly string[] => {
  if (masqAll) return [EVERYWHERE[family]]
  return family === 4 ? [networkOf(pod), '127.0.0.1/32'] : [networkOf(pod)]
}

const target = (pod: Cidr, port: number): string =>
  cidrFamily(pod) === 4 ? `${addressOf(pod)}:${port}` : `[${addressOf(pod)}]:${port}`

const mappingRules = (conf: PortmapConf, pod: Cidr, mapping: Mapping): string[] => {
  const { protocol, hostPort, hostIP, containerPort } = mapping
  const to = hostIP === undefined ? [] : ['-d', hostIP]
  const match = ['-p', protocol, '-m', protocol, '--dport', String(hostPort)]
  const marks = conf.snat ? sourcesOf(cidrFamily(pod), pod, conf.masqAll) : []
  return [
    ...marks.map((source) => ruleOf('-s', source, ...to, ...match, '-j', conf.externalSetMarkChain ?? SETMARK)),
    ruleOf(...to, ...match, '-j', 'DNAT', '--to-destination', target(pod, containerPort)),
  ]
}

/** Specific addresses before all others: the first rule that fits translates. */
const inOrder = (mappings: readonly Mapping[]): readonly Mapping[] => [
  ...mappings.filter(({ hostIP }) => hostIP !== undefined),
  ...mappings.filter(({ hostIP }) => hostIP === undefined),
]

const factOf = (conf: PortmapConf, owner: Owner, pod: Cidr, style: Style): IptablesFact => {
  const family = cidrFamily(pod)
  const own = { ...conf, mappings: inOrder(mappingsOf(conf.mappings, family)) }
  const isLocal = ruleOf('-m', 'addrtype', '--dst-type', 'LOCAL', '-j', DNAT)
  const marking = markingRules(conf)
  return {
    kind: 'iptables',
    ns: 'node',
    family,
    table: 'nat',
    owner,
    chains: [
      {
        name: chainOf(owner),
        rules: [
          ...own.mappings.flatMap((mapping) => mappingRules(conf, pod, mapping)),
          ...(style === 'ours' ? [ruleOf(...commented(commentOf(owner)))] : []),
        ],
      },
    ],
    shared: [DNAT, ...(marking.length === 0 ? [] : [SETMARK, MASQ])],
    rules: [
      shared('PREROUTING', isLocal, 'last'),
      shared('OUTPUT', isLocal, 'last'),
      ...marking,
      ...jumps(own, owner, family, style),
    ],
  }
}

/** What must hold for the mappings to lead to the pod at `addresses`: a fact for each family that has any. */
export const iptablesFacts = (
  conf: PortmapConf,
  owner: Owner,
  addresses: readonly Cidr[],
  style: Style = 'ours',
): IptablesFact[] =>
  addresses
    .filter((pod) => mappingsOf(conf.mappings, cidrFamily(pod)).length > 0)
    .map((pod) => factOf(conf, owner, pod, style))

/** Stated to be removed: the container's chains in both families, whoever made them, without knowing what is in them. */
export const iptablesChains = (owner: Owner): IptablesFact[] =>
  ([4, 6] as const).map((family) => ({
    kind: 'iptables',
    ns: 'node',
    family,
    table: 'nat',
    owner,
    chains: [chainOf(owner), oldChainOf(owner)].map((name) => ({ name, rules: [] })),
    shared: [],
    rules: [],
  }))
