/** What the kernel must hold for this node with this lease, part by part: one for the node, one for each peer. */
import { identityOf } from '../kernel/identity.ts'
import type { Fact, Plan } from '../kernel/plan.ts'
import type { OverlayNode, Scope } from '../overlay/planner.ts'

export interface Desired {
  readonly node: OverlayNode
  readonly scope: Scope
  readonly base: Plan
  /** By the lease's key. */
  readonly peers: ReadonlyMap<string, Plan>
  /** Replaces a peer's part (undefined: there is none any more). Returns the part as it was. */
  readonly put: (key: string, plan: Plan | undefined) => Plan
  /** All of it, the node's part first. */
  readonly plan: () => Plan
  /** What the plan has of this identity (kernel/identity.ts). */
  readonly fact: (identity: string) => Fact | undefined
}

export const openDesired = (node: OverlayNode, scope: Scope, base: Plan): Desired => {
  const peers = new Map<string, Plan>()
  const facts = new Map<string, Fact>(base.map((fact) => [identityOf(fact), fact]))
  const put = (key: string, plan: Plan | undefined): Plan => {
    const before = peers.get(key) ?? []
    for (const fact of before) if (facts.get(identityOf(fact)) === fact) facts.delete(identityOf(fact))
    if (plan === undefined) peers.delete(key)
    else peers.set(key, plan)
    for (const fact of plan ?? []) facts.set(identityOf(fact), fact)
    return before
  }
  const plan = (): Plan => [...base, ...[...peers.values()].flat()]
  return { node, scope, base, peers, put, plan, fact: (identity) => facts.get(identity) }
}
