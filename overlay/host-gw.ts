/** Backend `host-gw`: each peer is the gateway of its subnet. Needs the nodes on one link. flannel pkg/backend/hostgw. */
import { directRoute, scopeWith } from './direct-route.ts'
import { enabledFamilies } from './families.ts'
import { forwardingFacts } from './forwarding.ts'
import type { Planner } from './planner.ts'

export const hostGw: Planner = {
  publish: () => ({ data: {}, v6Data: {} }),
  mtu: ({ underlay }) => underlay.mtu,
  base: ({ conf }) => forwardingFacts(conf),
  peer: (node, peer) => enabledFamilies(node.conf).flatMap((family) => directRoute(node, peer, family)),
  scope: (node) => scopeWith(node, []),
}
