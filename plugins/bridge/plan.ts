/** What the kernel must hold for one attachment to a bridge. Pure. */
import { type Cidr, cidrFamily, cidrOf, firstOf, lengthOf } from '../../addr/cidr.ts'
import { type Family, type Ip, ipNumber, ipOfNumber } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Addressing } from '../../cni/prev-result.ts'
import type { IpConfig, Result, Route } from '../../cni/result.ts'
import type { Ends } from '../../kernel/ends.ts'
import { masqueradeFacts } from '../../kernel/masquerade.ts'
import { commentOf, linkNameOf, type Owner, SHARED_ALIAS } from '../../kernel/owner.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { defaultRouteOf, forwardingFacts, planPodInterface, routeFact } from '../../kernel/pod-interface.ts'
import type { PortVlan } from '../../netlink/bridge-vlan.ts'
import type { BridgeConf } from './conf.ts'
import { macspoofFact } from './macspoofchk.ts'

/** How long a new port may take until the bridge forwards for it. */
const PORT_TIMEOUT_MS = 2500

const gatewayOf = (address: Cidr): Ip => ipOfNumber(ipNumber(firstOf(address)) + 1n, cidrFamily(address))

/** Each address with its gateway (`isGateway`: the first of its subnet when IPAM named none), and a default route for each
 *  family that has none (`isDefaultGateway`). */
export const completeAddressing = (conf: BridgeConf, ipam: Result): Addressing => {
  const ips = (ipam.ips ?? []).map((ip) =>
    conf.isGateway && ip.gateway === undefined ? { ...ip, gateway: gatewayOf(ip.address) } : ip,
  )
  const given = ipam.routes ?? []
  const families = [...new Set(ips.map(({ address }) => cidrFamily(address)))]
  return {
    ips,
    routes: conf.isDefaultGateway
      ? [...given, ...families.flatMap((family) => missingDefault(family, ips, given))]
      : given,
  }
}

const missingDefault = (family: Family, ips: readonly IpConfig[], routes: readonly Route[]): Route[] => {
  const dst = defaultRouteOf(family)
  const gw = ips.find(({ address }) => cidrFamily(address) === family)?.gateway
  return gw === undefined || routes.some((route) => route.dst === dst && route.gw !== undefined) ? [] : [{ dst, gw }]
}

const filtersVlans = (conf: BridgeConf): boolean => conf.vlan !== 0 || conf.trunk !== undefined

/** `mac` is the bridge's when this call is the one that creates it: set at birth, it does not follow the ports'. */
const bridgeFact = (conf: BridgeConf, mac: Mac | undefined): Fact => ({
  kind: 'link',
  ns: 'node',
  name: conf.bridge,
  device: { kind: 'bridge' },
  settings: {},
  birth: {
    alias: SHARED_ALIAS,
    ...(mac === undefined ? {} : { mac }),
    ...(conf.mtu === undefined ? {} : { mtu: conf.mtu }),
  },
  shared: true,
})

/** After the gateway's address, so that a bridge with another network's address is refused before anything of it changes. */
const bridgeSettings = (conf: BridgeConf): Fact[] => [
  { kind: 'sysctl', ns: 'node', path: `net/ipv6/conf/${conf.bridge}/accept_ra`, value: '0', optional: true },
  // with detection on, the node cannot ask for a pod's IPv6 neighbour in the bridge's first second
  ...(conf.enabledad
    ? []
    : [
        {
          kind: 'sysctl',
          ns: 'node',
          path: `net/ipv6/conf/${conf.bridge}/accept_dad`,
          value: '0',
          optional: true,
        } as const,
      ]),
  {
    kind: 'link-settings',
    ns: 'node',
    name: conf.bridge,
    settings: {
      up: true,
      ...(conf.promiscMode ? { promisc: true } : {}),
      ...(filtersVlans(conf) ? { vlanFiltering: true } : {}),
    },
  },
]

const untagged = (vid: number): PortVlan => ({ vid, pvid: true, untagged: true })

/** The port's VLANs: `vlan` (or 1, for a trunk without it) untagged, the trunk's tagged. */
const portVlans = (conf: BridgeConf): PortVlan[] => {
  const tagged = (conf.trunk ?? []).map((vid) => ({ vid, pvid: false, untagged: false }))
  if (conf.vlan !== 0) return [...tagged.filter(({ vid }) => vid !== conf.vlan), untagged(conf.vlan)]
  return tagged.length === 0 ? [] : [...tagged.filter(({ vid }) => vid !== 1), untagged(1)]
}

const vlanFacts = (dev: string, vlans: readonly PortVlan[], keepOthers: boolean): Fact[] =>
  vlans.length === 0 ? [] : [{ kind: 'bridge-vlan', ns: 'node', dev, vlans, keepOthers }]

/** The pair, born in both namespaces. The pod's end keeps what a chained plugin may change (MTU) out of the fact. */
const pairFacts = (conf: BridgeConf, ends: Ends, owner: Owner): Fact[] => {
  const mtu = conf.mtu === undefined ? {} : { mtu: conf.mtu }
  return [
    {
      kind: 'link',
      ns: 'node',
      name: ends.host.name,
      device: {
        kind: 'veth',
        peer: {
          ns: 'pod',
          name: ends.pod.name,
          settings: ends.pod.mac === undefined ? {} : { mac: ends.pod.mac },
          birth: mtu,
        },
      },
      settings: {
        ...(ends.host.mac === undefined ? {} : { mac: ends.host.mac }),
        master: conf.bridge,
        hairpin: conf.hairpinMode,
        isolated: conf.portIsolation,
        ...(ends.owned ? { alias: commentOf(owner) } : {}),
      },
      birth: mtu,
    },
    { kind: 'sysctl', ns: 'node', path: `net/ipv6/conf/${ends.host.name}/accept_ra`, value: '0', optional: true },
    ...vlanFacts(ends.host.name, portVlans(conf), conf.preserveDefaultVlan),
    { kind: 'link-settings', ns: 'node', name: ends.host.name, settings: { up: true } },
  ]
}

/** The port that carries a VLAN's gateway interface `BRIDGE.VLAN`. */
export const vlanPortOf = (conf: BridgeConf): string =>
  linkNameOf('veth', { network: conf.bridge, containerID: `vlan${conf.vlan}`, ifName: 'gateway' })

/** The interface of the node that is the gateway: the bridge, or `BRIDGE.VLAN`, which is joined to it by a pair. */
export const gatewayDevOf = (conf: BridgeConf): string =>
  conf.vlan === 0 ? conf.bridge : `${conf.bridge}.${conf.vlan}`

const vlanGatewayFacts = (conf: BridgeConf): Fact[] => {
  const port = vlanPortOf(conf)
  return [
    {
      kind: 'link',
      ns: 'node',
      name: port,
      device: { kind: 'veth', peer: { ns: 'node', name: gatewayDevOf(conf), settings: {}, birth: {} } },
      settings: { master: conf.bridge },
      birth: { alias: SHARED_ALIAS },
      shared: true,
    },
    ...vlanFacts(port, [untagged(conf.vlan)], conf.preserveDefaultVlan),
    { kind: 'link-settings', ns: 'node', name: port, settings: { up: true } },
    { kind: 'link-settings', ns: 'node', name: gatewayDevOf(conf), settings: { up: true } },
  ]
}

const gatewaysOf = (conf: BridgeConf, { ips }: Addressing): Cidr[] => {
  if (!conf.isGateway) return []
  return ips.flatMap(({ address, gateway }) => (gateway === undefined ? [] : [cidrOf(gateway, lengthOf(address))]))
}

const gatewayAddresses = (conf: BridgeConf, addressing: Addressing): Fact[] =>
  gatewaysOf(conf, addressing).map((address) => ({
    kind: 'addr',
    ns: 'node',
    dev: gatewayDevOf(conf),
    address,
    shared: true,
    replace: conf.forceAddress ? 'always' : 'when-idle',
  }))

const podFacts = (conf: BridgeConf, ends: Ends, { ips, routes }: Addressing): Plan => {
  if (conf.disableContainerInterface) return []
  if (!conf.ipam) return [{ kind: 'link-settings', ns: 'pod', name: ends.pod.name, settings: { up: true } }]
  const pod = { ifName: ends.pod.name, ips, routes, dad: conf.enabledad }
  return [...planPodInterface(pod), ...routes.map((route) => routeFact(pod, route))]
}

const filterFacts = (conf: BridgeConf, owner: Owner, ends: Ends, { ips }: Addressing): Fact[] => [
  ...(conf.ipMasq && ends.owned
    ? masqueradeFacts(
        conf.ipMasqBackend,
        owner,
        ips.map(({ address }) => address),
      )
    : []),
  ...(conf.macspoofchk && ends.owned ? [macspoofFact(owner, ends)] : []),
]

const settleFacts = (conf: BridgeConf, ends: Ends): Fact[] =>
  conf.disableContainerInterface
    ? []
    : [{ kind: 'settle', ns: 'node', dev: ends.host.name, until: 'carrier', timeout: PORT_TIMEOUT_MS }]

/** The plan of one attachment. What another implementation attached is held to its links, addresses and routes alone.
 *  @param bridgeMac for the case that the bridge is missing */
export const planBridge = (
  conf: BridgeConf,
  owner: Owner,
  ends: Ends,
  addressing: Addressing,
  bridgeMac?: Mac,
): Plan => [
  bridgeFact(conf, bridgeMac),
  ...(conf.vlan === 0 ? gatewayAddresses(conf, addressing) : []),
  ...bridgeSettings(conf),
  ...(conf.vlan === 0 || !conf.isGateway ? [] : [...vlanGatewayFacts(conf), ...gatewayAddresses(conf, addressing)]),
  ...pairFacts(conf, ends, owner),
  ...podFacts(conf, ends, addressing),
  ...forwardingFacts(gatewaysOf(conf, addressing).map(cidrFamily)),
  ...filterFacts(conf, owner, ends, addressing),
  ...settleFacts(conf, ends),
]
