/** Fact: a bridge port carries exactly these VLANs (`bridge vlan`). Lives and dies with the port. */
import { delVlan, dumpVlans, newVlan, type PortVlan } from '../netlink/bridge-vlan.ts'
import { NetlinkError } from '../netlink/error.ts'
import { getLink } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface BridgeVlanFact {
  readonly kind: 'bridge-vlan'
  readonly ns: Ns
  readonly dev: string
  readonly vlans: readonly PortVlan[]
  /** VLANs that the port has from its birth and the fact does not list stay. */
  readonly keepOthers: boolean
}

const words = (vlan: PortVlan): string =>
  `vid ${vlan.vid}${vlan.pvid ? ' pvid' : ''}${vlan.untagged ? ' untagged' : ''}`

const render = (fact: BridgeVlanFact): string =>
  [
    ...(fact.keepOthers ? [] : [`bridge vlan del vid 1 dev ${fact.dev} master`]),
    ...fact.vlans.map((vlan) => `bridge vlan add ${words(vlan)} dev ${fact.dev} master`),
  ].join('\n')

const ensure = (fact: BridgeVlanFact, kernel: Kernel): boolean => {
  const socket = kernel.route(fact.ns)
  const index = indexOf(fact.ns, fact.dev, kernel)
  const others = fact.keepOthers
    ? []
    : dumpVlans(socket, index).filter(({ vid }) => !fact.vlans.some((vlan) => vlan.vid === vid))
  const replies = socket.exchange([
    ...others.map((vlan) => delVlan(index, vlan)),
    ...fact.vlans.map((vlan) => newVlan(index, vlan)),
  ])
  const failed = replies.find((reply) => reply.errno !== 0)
  if (failed !== undefined) throw new NetlinkError(render(fact), failed.errno, failed.extack)
  return false
}

const drift = (fact: BridgeVlanFact, kernel: Kernel): string | undefined => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  if (link === undefined) return `interface ${fact.dev} is missing`
  const found = dumpVlans(kernel.route(fact.ns), link.index)
  const absent = fact.vlans.find((vlan) => !found.some((other) => words(other) === words(vlan)))
  if (absent !== undefined) return `${fact.dev} does not carry VLAN ${words(absent)}`
  const extra = found.find(({ vid }) => !fact.vlans.some((vlan) => vlan.vid === vid))
  return fact.keepOthers || extra === undefined
    ? undefined
    : `${fact.dev} carries VLAN ${words(extra)}, which the configuration does not name`
}

export const bridgeVlanOperations: Operations<BridgeVlanFact> = { render, ensure, remove: () => undefined, drift }
