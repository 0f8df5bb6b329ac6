/** Backend `ipip`: one tunnel device to every peer, told which by the gateway of each route. IPv4 alone. RFC 2003; flannel
 *  pkg/backend/ipip. */
import { addressOf, hostCidr } from '../addr/cidr.ts'
import { IPIP_DEVICE } from './devices.ts'
import { directRoute, overlayRoute, scopeWith } from './direct-route.ts'
import { isOnLink, underlayMtu } from './families.ts'
import { forwardingFacts } from './forwarding.ts'
import { IPIP_OVERHEAD } from './overhead.ts'
import type { Planner, Site } from './planner.ts'

const mtu = (site: Site): number => underlayMtu(site) - IPIP_OVERHEAD

export const ipip: Planner = {
  publish: () => ({ data: {}, v6Data: {} }),
  mtu,
  base: (node) => {
    const { own, underlay } = node
    if (own.subnet === undefined || underlay.ipv4 === undefined) return []
    return [
      ...forwardingFacts(node.conf),
      {
        kind: 'link',
        ns: 'node',
        name: IPIP_DEVICE,
        device: { kind: 'ipip', local: underlay.ipv4 },
        settings: { mtu: mtu(node), up: true },
        replace: true,
      },
      { kind: 'addr', ns: 'node', dev: IPIP_DEVICE, address: hostCidr(addressOf(own.subnet)) },
    ]
  },
  peer: (node, peer) => {
    const { subnet, publicIP } = peer
    if (subnet === undefined || publicIP === undefined) return []
    const { backend } = node.conf
    if (backend.kind === 'ipip' && backend.directRouting && isOnLink(node.underlay, publicIP))
      return directRoute(node, peer, 4)
    return [{ ...overlayRoute(IPIP_DEVICE, subnet, publicIP), onlink: true }]
  },
  scope: (node) => scopeWith(node, [IPIP_DEVICE]),
}
