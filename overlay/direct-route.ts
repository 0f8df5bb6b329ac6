/** A peer's subnet by way of the peer itself, with no tunnel: all of host-gw, and `DirectRouting` of vxlan and ipip. */
import type { Cidr } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { RouteFact } from '../kernel/route.ts'
import { RTPROT_PODWIRE } from '../netlink/route.ts'
import { networksOf, publicIPOf, subnetOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { OverlayNode, Scope } from './planner.ts'

/** A route of the overlay's own, over `dev`. */
export const overlayRoute = (dev: string, dst: Cidr, via?: Ip): RouteFact => ({
  kind: 'route',
  ns: 'node',
  dev,
  dst,
  ...(via === undefined ? {} : { via }),
  protocol: RTPROT_PODWIRE,
})

/** The route to the peer's subnet of `family`; none when it has none, or no address. */
export const directRoute = (node: OverlayNode, peer: Lease, family: Family): RouteFact[] => {
  const [dst, via] = [subnetOf(peer, family), publicIPOf(peer, family)]
  return dst === undefined || via === undefined ? [] : [overlayRoute(node.underlay.name, dst, via)]
}

/** What is ours where `devices` are the overlay's. Routes over the underlay always count: those of a `DirectRouting` that
 *  was on before are to go. */
export const scopeWith = (node: OverlayNode, devices: readonly string[]): Scope => ({
  devices,
  carriers: [node.underlay.name],
  networks: networksOf(node.conf),
})
