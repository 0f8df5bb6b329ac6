/** Nodes of `support/underlay.ts` whose overlay is what the planners plan, and a pod on each:
 *
 *      pod N [ eth0 ] === [ pod0 ] node N [ eth0 ] === wire
 *      10.244.N.2/24      10.244.N.1      192.0.2.N
 *      fd00:244:0:N::2/64 fd00:244:0:N::1 2001:db8::N */
import { addressOf } from '../../addr/cidr.ts'
import type { Json, JsonObject } from '../../cni/plugin.ts'
import { apply, driftOf } from '../../kernel/apply.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { plannerOf } from '../../overlay/planners.ts'
import { kernelOf } from '../support/in-process.ts'
import { makeNetns, shellIn } from '../support/netns.ts'
import { confOf, nodeOf, subnetsOf } from '../support/overlay.ts'
import { settle } from '../support/probe.ts'
import { makeUnderlay, type UnderlayBed, type UnderlayNode } from '../support/underlay.ts'

export interface PlannedNode extends UnderlayNode {
  readonly overlay: OverlayNode
  /** Name of the pod's namespace. */
  readonly pod: string
  readonly podIPv4: string
  readonly podIPv6: string
}

export interface PlannedBed extends UnderlayBed {
  readonly nodes: readonly PlannedNode[]
}

const hostOf = (n: number, host: number): { readonly ipv4: string; readonly ipv6: string } => {
  const { subnet, ipv6Subnet } = subnetsOf(n)
  return { ipv4: addressOf(subnet).replace(/0$/, String(host)), ipv6: `${addressOf(ipv6Subnet)}${host}` }
}

const makePod = (n: number, netns: string, mtu: number, label: string): string => {
  const pod = makeNetns(`${label}-pod${n}`)
  const [gateway, own] = [hostOf(n, 1), hostOf(n, 2)]
  shellIn(
    netns,
    `ip link add pod0 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pod}; ip link set pod0 up
     ip addr add ${gateway.ipv4}/24 dev pod0; ip addr add ${gateway.ipv6}/64 dev pod0 nodad`,
  )
  shellIn(
    pod,
    `ip link set lo up; ip link set eth0 up
     ip addr add ${own.ipv4}/24 dev eth0; ip addr add ${own.ipv6}/64 dev eth0 nodad
     ip route add default via ${gateway.ipv4}; ip -6 route add default via ${gateway.ipv6}`,
  )
  return pod
}

/** Brings `plan` into the node's kernel. Returns what does not hold afterwards. */
export const applyIn = (netns: string, plan: Plan): string[] =>
  kernelOf(netns, undefined, (kernel) => {
    apply(plan, kernel)
    return driftOf(plan, kernel)
  })

/** What node `overlay` does for itself and for those that hold `leases`. */
export const planOf = (overlay: OverlayNode, leases: readonly Lease[]): Plan => {
  const planner = plannerOf(overlay.conf.backend)
  const peers = leases.filter(({ key }) => key !== overlay.own.key)
  return [...planner.base(overlay), ...peers.flatMap((peer) => planner.peer(overlay, peer))]
}

/** The bed drawn above, with nothing of the overlay in it yet. `change` makes a node differ from its fellows. */
export const makePlanned = (
  count: number,
  families: JsonObject,
  backend: Json,
  label: string,
  change: (overlay: OverlayNode, n: number) => OverlayNode = (overlay) => overlay,
): PlannedBed => {
  const conf = confOf(families, backend)
  const bed = makeUnderlay(count, label)
  const nodes = bed.nodes.map((node, i): PlannedNode => {
    const overlay = change(nodeOf(i + 1, conf), i + 1)
    const pod = makePod(i + 1, node.netns, plannerOf(conf.backend).mtu(overlay), label)
    const { ipv4, ipv6 } = hostOf(i + 1, 2)
    return { ...node, overlay, pod, podIPv4: ipv4, podIPv6: ipv6 }
  })
  return { ...bed, nodes }
}

/** Applies the plan of each node. Returns what does not hold afterwards, of all of them. */
export const applyAll = ({ nodes }: PlannedBed): string[] => {
  const leases = nodes.map(({ overlay }) => overlay.own)
  const drift = nodes.flatMap(({ netns, overlay }) => applyIn(netns, planOf(overlay, leases)))
  for (const { netns, pod } of nodes) for (const name of [netns, pod]) settle(name)
  return drift
}
