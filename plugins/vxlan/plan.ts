/** What the kernel must hold for this node to reach the pods of the others: the backend's planner, and what leaves the
 *  overlay. Pure. */
import type { Fact, Plan } from '../../kernel/plan.ts'
import type { Scope } from '../../kernel/reconcile.ts'
import { makeAdmission } from '../../overlay/admission.ts'
import type { Lease } from '../../overlay/lease.ts'
import { type MasqueradeOptions, planMasquerade } from '../../overlay/masquerade.ts'
import type { NetConf } from '../../overlay/net-conf.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { vxlan } from '../../overlay/vxlan.ts'

/** What a store holds of all nodes. */
export interface Fleet {
  readonly leases: readonly Lease[]
  /** Why the value of a key is no lease. */
  readonly invalid: ReadonlyMap<string, string>
  /** Subnets may be of any length: in Kubernetes. */
  readonly anyLength: boolean
}

export interface OverlayPlan {
  /** Of this node alone. */
  readonly base: Plan
  /** Of what leaves the overlay. */
  readonly masquerade: Plan
  readonly peers: Plan
  readonly scope: Scope
  /** Leases that are not believed: why, by key. */
  readonly rejected: ReadonlyMap<string, string>
}

/** An agent keeps one overlay; of this plugin's networks each has a table, and VNI 1 the agent's. */
const tableOf = (fact: Fact, { backend }: NetConf): Fact =>
  fact.kind !== 'nft-table' || backend.kind !== 'vxlan' || backend.vni === 1
    ? fact
    : { ...fact, table: { ...fact.table, name: `${fact.table.name}-${backend.vni}` } }

export const planOverlay = (node: OverlayNode, fleet: Fleet, options: MasqueradeOptions): OverlayPlan => {
  const admission = makeAdmission({ node, anyLength: fleet.anyLength })
  admission.all(fleet.leases, fleet.invalid)
  return {
    base: vxlan.base(node),
    masquerade: planMasquerade(options, node).map((fact) => tableOf(fact, node.conf)),
    peers: [...admission.admitted.values()].flatMap((peer) => vxlan.peer(node, peer)),
    scope: vxlan.scope(node),
    rejected: admission.rejected,
  }
}

/** All of it, in the order in which it is made. */
export const wholePlan = ({ base, masquerade, peers }: OverlayPlan): Plan => [...base, ...masquerade, ...peers]
