/** Backend `vxlan`: for each peer a neighbour, a forwarding entry and a route, so that no packet waits for a resolution.
 *  RFC 7348 §4.1; flannel pkg/backend/vxlan. Each family has a device of its own, and an MTU of its own. */
import { addressOf, type Cidr, hostCidr } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import { hexBytes, localMacOf, type Mac } from '../addr/mac.ts'
import { hashOf } from '../kernel/owner.ts'
import type { Fact, Plan } from '../kernel/plan.ts'
import { RTPROT_PODWIRE } from '../netlink/route.ts'
import { vxlanDevice } from './devices.ts'
import { directRoute, overlayRoute, scopeWith } from './direct-route.ts'
import {
  dataOf,
  enabledFamilies,
  endpointOf,
  FAMILIES,
  familyConf,
  isOnLink,
  publicIPOf,
  subnetOf,
  underlayMtu,
} from './families.ts'
import { forwardingFacts } from './forwarding.ts'
import type { BackendData, Lease } from './lease.ts'
import type { NetConf, VxlanBackend } from './net-conf.ts'
import { DEFAULT_VXLAN } from './net-conf-backend.ts'
import { VXLAN_OVERHEAD } from './overhead.ts'
import type { OverlayNode, Planner, Site } from './planner.ts'

/** Of another backend's configuration: what a vxlan without keys is. Planners are total. */
const backendOf = ({ backend }: NetConf): VxlanBackend => (backend.kind === 'vxlan' ? backend : DEFAULT_VXLAN)

const MAC_DIGITS = 12
/** The same after every reboot, and another one for every node, VNI and family. */
const vtepMacOf = (address: Ip, vni: number, family: Family): Mac =>
  localMacOf(hexBytes(hashOf(MAC_DIGITS, 'vtep', address, String(vni), String(family))))

const publishFamily = (site: Site, family: Family): BackendData => {
  const address = publicIPOf(site, family)
  if (familyConf(site.conf, family) === undefined || address === undefined) return {}
  const { vni } = backendOf(site.conf)
  return { vni, vtepMac: (family === 4 ? site.vtepMac : site.vtepMacV6) ?? vtepMacOf(address, vni, family) }
}

const mtuOf = (site: Site, family: Family): number => underlayMtu(site) - VXLAN_OVERHEAD[family]

/** The device of one family, with the MAC that the own lease publishes and the base address of the own subnet. */
const baseOf = (node: OverlayNode, family: Family): Plan => {
  const { vni, port, gbp, learning } = backendOf(node.conf)
  const [local, subnet, { vtepMac }] = [
    endpointOf(node.underlay, family),
    subnetOf(node.own, family),
    dataOf(node.own, family),
  ]
  if (local === undefined || subnet === undefined || vtepMac === undefined) return []
  const dev = vxlanDevice(vni, family)
  return [
    {
      kind: 'link',
      ns: 'node',
      name: dev,
      device: { kind: 'vxlan', vni, port, local, dev: node.underlay.name, learning, gbp },
      settings: { mac: vtepMac, mtu: mtuOf(node, family), up: true },
      replace: true,
    },
    { kind: 'sysctl', ns: 'node', path: `net/ipv6/conf/${dev}/accept_ra`, value: '0', optional: true },
    { kind: 'addr', ns: 'node', dev, address: hostCidr(addressOf(subnet)) },
  ]
}

const tunnelTo = (dev: string, subnet: Cidr, lladdr: Mac, endpoint: Ip): Fact[] => {
  const vtep = addressOf(subnet)
  const entry = { kind: 'neigh', ns: 'node', dev, lladdr, protocol: RTPROT_PODWIRE } as const
  return [
    { ...entry, table: 'neigh', ip: vtep },
    { ...entry, table: 'fdb', ip: endpoint },
    { ...overlayRoute(dev, subnet, vtep), onlink: true },
  ]
}

const peerOf = (node: OverlayNode, peer: Lease, family: Family): Plan => {
  const { vni, directRouting } = backendOf(node.conf)
  const [subnet, endpoint, { vtepMac }] = [subnetOf(peer, family), publicIPOf(peer, family), dataOf(peer, family)]
  if (subnet === undefined || endpoint === undefined) return []
  if (directRouting && isOnLink(node.underlay, endpoint)) return directRoute(node, peer, family)
  return vtepMac === undefined ? [] : tunnelTo(vxlanDevice(vni, family), subnet, vtepMac, endpoint)
}

export const vxlan: Planner = {
  publish: (site) => ({ data: publishFamily(site, 4), v6Data: publishFamily(site, 6) }),
  mtu: (site) => Math.min(...enabledFamilies(site.conf).map((family) => mtuOf(site, family))),
  base: (node) => [
    ...forwardingFacts(node.conf),
    ...enabledFamilies(node.conf).flatMap((family) => baseOf(node, family)),
  ],
  peer: (node, peer) => enabledFamilies(node.conf).flatMap((family) => peerOf(node, peer, family)),
  scope: (node) =>
    scopeWith(
      node,
      FAMILIES.map((family) => vxlanDevice(backendOf(node.conf).vni, family)),
    ),
}
