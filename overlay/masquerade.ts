/** What leaves the overlay with the node's address, and what the node lets through, in one place: an nftables table of our
 *  own, or flannel's chains in iptables (`masquerade-iptables.ts`). flannel pkg/trafficmngr. */
import type { NftTableFact } from '../kernel/nft-whole.ts'
import type { Plan } from '../kernel/plan.ts'
import { and, meta, payload } from '../netfilter/expression.ts'
import { FILTER, SRCNAT } from '../netfilter/priority.ts'
import type { Chain, Rule, Statement, Table } from '../netfilter/ruleset.ts'
import { accept, differs, equals, goBack, rule } from '../netfilter/statement.ts'
import { forwardIptables, masqueradeIptables } from './masquerade-iptables.ts'
import type { OverlayNode } from './planner.ts'
import { KUBE_PROXY_MARK, MULTICAST, type PodNetwork, podNetworksOf } from './pod-network.ts'

export interface MasqueradeOptions {
  /** `--masquerade-backend` */
  readonly backend: 'nftables' | 'iptables'
  /** `--ip-masq` */
  readonly ipMasq: boolean
  /** False with `--ip-masq-fully-random-disable`: ports are then chosen in order. */
  readonly randomFully: boolean
  /** `--iptables-forward-rules` */
  readonly forwardRules: boolean
}

export const TABLE = { family: 'inet', name: 'podwire-overlay' } as const

const addressesOf = ({ family }: PodNetwork) =>
  family === 4
    ? { saddr: payload('ip saddr'), daddr: payload('ip daddr') }
    : { saddr: payload('ip6 saddr'), daddr: payload('ip6 daddr') }

/** In order: what own pods send to pods, and whatever is sent to own pods, stays as it is; what else pods send is the
 *  node's, but for multicast; and so is what others send to pods elsewhere through this node. */
const masqueradeRules = (pods: PodNetwork, randomFully: boolean): Rule[] => {
  const { saddr, daddr } = addressesOf(pods)
  const masquerade: Statement = { kind: 'masquerade', ...(randomFully ? { flags: ['fully-random'] } : {}) }
  return [
    rule(equals(saddr, pods.own), equals(daddr, pods.network), goBack),
    rule(equals(daddr, pods.own), goBack),
    rule(equals(saddr, pods.network), differs(daddr, MULTICAST[pods.family]), masquerade),
    rule(differs(saddr, pods.network), equals(daddr, pods.network), masquerade),
  ]
}

const postrouting = (all: readonly PodNetwork[], randomFully: boolean): Chain => ({
  name: 'postrouting',
  base: { type: 'nat', hook: 'postrouting', priority: SRCNAT },
  rules: [
    rule(equals(and(meta('mark'), KUBE_PROXY_MARK), KUBE_PROXY_MARK), goBack),
    ...all.flatMap((pods) => masqueradeRules(pods, randomFully)),
  ],
})

const forward = (all: readonly PodNetwork[]): Chain => ({
  name: 'forward',
  base: { type: 'filter', hook: 'forward', priority: FILTER },
  rules: all.flatMap((pods) => {
    const { saddr, daddr } = addressesOf(pods)
    return [rule(equals(saddr, pods.network), accept), rule(equals(daddr, pods.network), accept)]
  }),
})

const tableOf = (options: MasqueradeOptions, all: readonly PodNetwork[]): Table => ({
  ...TABLE,
  sets: [],
  chains: [
    ...(options.ipMasq ? [postrouting(all, options.randomFully)] : []),
    ...(options.forwardRules ? [forward(all)] : []),
  ],
})

const nftablesPlan = (options: MasqueradeOptions, all: readonly PodNetwork[]): NftTableFact[] =>
  options.ipMasq || options.forwardRules ? [{ kind: 'nft-table', ns: 'node', table: tableOf(options, all) }] : []

/** What must hold for the node's pods to be masqueraded and let through, each where it is asked for. */
export const planMasquerade = (options: MasqueradeOptions, node: OverlayNode): Plan => {
  const all = podNetworksOf(node)
  if (options.backend === 'nftables') return nftablesPlan(options, all)
  return [
    ...(options.ipMasq ? all.map((pods) => masqueradeIptables(pods, options.randomFully)) : []),
    ...(options.forwardRules ? all.map(forwardIptables) : []),
  ]
}

/** The table as a fact to be removed: what `--cleanup`, and a change to iptables, leave nothing of. */
export const OVERLAY_TABLE: NftTableFact = { kind: 'nft-table', ns: 'node', table: { ...TABLE, sets: [], chains: [] } }
