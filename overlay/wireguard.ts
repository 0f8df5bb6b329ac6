/** Backend `wireguard`: a device for each family, or one for both (`Mode`), with every other node as its peer. The device
 *  tells peers apart by the addresses they may use, so one route leads to all. flannel pkg/backend/wireguard. */
import { addressOf, hostCidr } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import type { Fact, Plan } from '../kernel/plan.ts'
import { WIREGUARD_DEVICE } from './devices.ts'
import { overlayRoute, scopeWith } from './direct-route.ts'
import { dataOf, enabledFamilies, FAMILIES, familyConf, publicIPOf, subnetOf, underlayMtu } from './families.ts'
import { forwardingFacts } from './forwarding.ts'
import type { BackendData, Lease } from './lease.ts'
import type { NetConf, WireguardBackend } from './net-conf.ts'
import { DEFAULT_WIREGUARD } from './net-conf-backend.ts'
import { WIREGUARD_OVERHEAD } from './overhead.ts'
import type { OverlayNode, Planner, Site } from './planner.ts'
import { endpointFamily } from './wireguard-endpoint.ts'

/** Of another backend's configuration: what a wireguard without keys is. Planners are total. */
const backendOf = ({ backend }: NetConf): WireguardBackend =>
  backend.kind === 'wireguard' ? backend : DEFAULT_WIREGUARD
const isSeparate = (conf: NetConf): boolean => backendOf(conf).mode === 'separate'

/** The device that carries `family`. */
const deviceFor = (conf: NetConf, family: Family): string => WIREGUARD_DEVICE[isSeparate(conf) ? family : 4]

const portFor = (conf: NetConf, family: Family): number => {
  const { listenPort, listenPortV6 } = backendOf(conf)
  return isSeparate(conf) && family === 6 ? listenPortV6 : listenPort
}

const publishFamily = (site: Site, family: Family): BackendData => {
  if (familyConf(site.conf, family) === undefined || site.publicKey === undefined) return {}
  return { publicKey: site.publicKey, port: portFor(site.conf, family) }
}

const mtu = (site: Site): number => underlayMtu(site) - WIREGUARD_OVERHEAD

const deviceFacts = (node: OverlayNode, dev: string, listenPort: number): Fact[] => [
  {
    kind: 'link',
    ns: 'node',
    name: dev,
    device: { kind: 'wireguard' },
    settings: { mtu: mtu(node), up: true },
    replace: true,
  },
  { kind: 'wireguard', ns: 'node', dev, privateKey: node.privateKey ?? '', listenPort },
]

/** The base address of the own subnet, and the way to everybody else's. */
const addressFacts = (node: OverlayNode, family: Family): Fact[] => {
  const [subnet, conf] = [subnetOf(node.own, family), familyConf(node.conf, family)]
  if (subnet === undefined || conf === undefined) return []
  const dev = deviceFor(node.conf, family)
  return [{ kind: 'addr', ns: 'node', dev, address: hostCidr(addressOf(subnet)) }, overlayRoute(dev, conf.network)]
}

const base = (node: OverlayNode): Plan => {
  const families = enabledFamilies(node.conf)
  const ports = new Map(families.map((family) => [deviceFor(node.conf, family), portFor(node.conf, family)]))
  return [
    ...forwardingFacts(node.conf),
    ...[...ports].flatMap(([dev, port]) => deviceFacts(node, dev, port)),
    ...families.flatMap((family) => addressFacts(node, family)),
  ]
}

/** One peer of one device: `families` are those whose subnets it carries, `outer` is that of its endpoint. */
const peerFacts = (node: OverlayNode, peer: Lease, families: readonly Family[], outer: Family): Fact[] => {
  const { psk, keepalive } = backendOf(node.conf)
  const [first = outer] = families
  const publicKey = families.map((family) => dataOf(peer, family).publicKey).find((key) => key !== undefined)
  const allowedIPs = families.flatMap((family) => subnetOf(peer, family) ?? [])
  const ip = publicIPOf(peer, outer)
  if (publicKey === undefined || ip === undefined || allowedIPs.length === 0) return []
  return [
    {
      kind: 'wireguard-peer',
      ns: 'node',
      dev: deviceFor(node.conf, first),
      publicKey,
      ...(psk === undefined ? {} : { presharedKey: psk }),
      endpoint: { ip, port: portOf(node.conf, peer, outer) },
      allowedIPs,
      keepalive,
    },
  ]
}

/** Where the peer listens. One device has one port: flanneld publishes that of IPv6 all the same, where nobody listens. */
const portOf = (conf: NetConf, peer: Lease, outer: Family): number =>
  dataOf(peer, isSeparate(conf) ? outer : 4).port ?? portFor(conf, outer)

const peerPlan = (node: OverlayNode, peer: Lease): Plan => {
  const families = enabledFamilies(node.conf)
  if (isSeparate(node.conf)) return families.flatMap((family) => peerFacts(node, peer, [family], family))
  const outer = endpointFamily(backendOf(node.conf).mode, node, peer)
  return outer === undefined ? [] : peerFacts(node, peer, families, outer)
}

export const wireguard: Planner = {
  publish: (site) => ({ data: publishFamily(site, 4), v6Data: publishFamily(site, 6) }),
  mtu,
  base,
  peer: peerPlan,
  scope: (node) =>
    scopeWith(
      node,
      FAMILIES.map((family) => WIREGUARD_DEVICE[family]),
    ),
}
