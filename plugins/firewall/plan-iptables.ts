/** Facts of the iptables backend: the reference plugin's chains and rules, in `filter`. They have no place for an owner, so
 *  each attachment has a chain of its own that nothing jumps to: its rules record the addresses and the bridge. Pure. */
import { addressOf, type Cidr } from '../../addr/cidr.ts'
import type { Family } from '../../addr/ip.ts'
import type { IptablesFact } from '../../kernel/iptables.ts'
import { commentOf, hashOf, type Owner } from '../../kernel/owner.ts'
import type { Plan } from '../../kernel/plan.ts'
import { ruleOf } from '../../netfilter/iptables-rule.ts'
import type { IptablesRule } from '../../netfilter/iptables-table.ts'
import type { FirewallConf } from './conf.ts'
import { FAMILIES, ofFamily, type Pod } from './pod.ts'

export const FORWARD_CHAIN = 'CNI-FORWARD'
export const STAGE_1 = 'CNI-ISOLATION-STAGE-1'
export const STAGE_2 = 'CNI-ISOLATION-STAGE-2'

const RECORD_PREFIX = 'CNI-FW-'
const CHAIN_LENGTH = 28
export const recordChainOf = ({ network, containerID, ifName }: Owner): string =>
  RECORD_PREFIX + hashOf(CHAIN_LENGTH - RECORD_PREFIX.length, network, containerID, ifName)
export const isRecordChain = (name: string): boolean => name.startsWith(RECORD_PREFIX) && name.length === CHAIN_LENGTH

const comment = (text: string): string[] => ['-m', 'comment', '--comment', text]
const POLICY_COMMENT = 'CNI firewall plugin rules (ingressPolicy: '
const ofPolicy = (policy: string): string[] => comment(`${POLICY_COMMENT}${policy})`)
export const isPolicyComment = (text: string): boolean => text.startsWith(POLICY_COMMENT)

/** The two rules of one address. */
export const acceptRules = (source: Cidr): readonly [string, string] => [
  ruleOf('-d', source, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT'),
  ruleOf('-s', source, '-j', 'ACCEPT'),
]

const shared = (chain: string, rule: string, position: IptablesRule['position']): IptablesRule => ({
  chain,
  rule,
  position,
  shared: true,
  anyComment: true,
})

const entryRules = ({ adminChain }: FirewallConf): IptablesRule[] => [
  shared('FORWARD', ruleOf(...comment('CNI firewall plugin rules'), '-j', FORWARD_CHAIN), { behind: STAGE_1 }),
  shared(FORWARD_CHAIN, ruleOf(...comment('CNI firewall plugin admin overrides'), '-j', adminChain), 'first'),
]

/** `-i BRIDGE ! -o BRIDGE` and what follows. */
const leaving = (bridge: string, ...rest: readonly string[]): string =>
  `${ruleOf('-i', bridge)} ! ${ruleOf('-o', bridge, ...rest)}`

/** Each `first` goes before the ones above it; the RETURNs stay last. */
const isolationRules = ({ ingressPolicy }: FirewallConf, bridge: string): IptablesRule[] => {
  const both = ofPolicy('same-bridge|isolated')
  const own = ofPolicy(ingressPolicy)
  const inside = shared(STAGE_1, ruleOf('-i', bridge, '-o', bridge, '-j', 'DROP', ...own), 'first')
  return [
    shared('FORWARD', ruleOf('-j', STAGE_1, ...both), 'first'),
    shared(STAGE_1, leaving(bridge, '-j', STAGE_2, ...own), 'first'),
    ...(ingressPolicy === 'isolated' ? [inside] : []),
    shared(STAGE_1, ruleOf('-j', 'RETURN', ...both), 'last'),
    shared(STAGE_2, ruleOf('-o', bridge, '-j', 'DROP', ...both), 'first'),
    shared(STAGE_2, ruleOf('-j', 'RETURN', ...both), 'last'),
  ]
}

/** `-i BRIDGE` for a policy, with `-o BRIDGE` for the stricter one. */
const bridgeRecord = ({ ingressPolicy }: FirewallConf, { host }: Pod): string[][] => {
  if (ingressPolicy === 'open' || host === undefined) return []
  return [ingressPolicy === 'isolated' ? ['-i', host, '-o', host] : ['-i', host]]
}

const recordRules = (conf: FirewallConf, pod: Pod, sources: readonly Cidr[]): string[] =>
  [...sources.map((source) => ['-s', addressOf(source)]), ...bridgeRecord(conf, pod)].map((match) =>
    ruleOf(...match, ...comment(commentOf(pod.owner))),
  )

const familyFact = (conf: FirewallConf, pod: Pod, family: Family): IptablesFact[] => {
  const sources = ofFamily(pod.sources, family)
  if (sources.length === 0) return []
  const isPoliced = conf.ingressPolicy !== 'open' && pod.host !== undefined
  const accepts = sources.flatMap(acceptRules)
  return [
    {
      kind: 'iptables',
      ns: 'node',
      family,
      table: 'filter',
      owner: pod.owner,
      chains: [{ name: recordChainOf(pod.owner), rules: recordRules(conf, pod, sources) }],
      shared: [FORWARD_CHAIN, conf.adminChain, ...(isPoliced ? [STAGE_1, STAGE_2] : [])],
      rules: [
        ...entryRules(conf),
        ...accepts.map((rule) => ({ chain: FORWARD_CHAIN, rule, position: 'last' as const })),
        ...(isPoliced ? isolationRules(conf, pod.host) : []),
      ],
    },
  ]
}

/** One fact for each family among the addresses. */
export const planIptables = (conf: FirewallConf, pod: Pod): Plan =>
  FAMILIES.flatMap((family) => familyFact(conf, pod, family))

/** What CHECK asks for: as above, without the record, which an attachment by the reference plugin lacks. */
export const planIptablesCheck = (conf: FirewallConf, pod: Pod): Plan =>
  FAMILIES.flatMap((family) => familyFact(conf, pod, family)).map((fact) => ({ ...fact, chains: [] }))
