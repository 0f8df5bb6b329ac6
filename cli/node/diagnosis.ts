/** What keeps a peer from being reached: a conclusion from what the kernel has and what came back over the wire. Pure. */
import { peerDifference } from '../../kernel/wireguard-peer.ts'
import type { Link } from '../../netlink/link.ts'
import type { EchoAnswer } from './echo-round.ts'
import type { KernelView } from './kernel-view.ts'
import type { PortAnswer } from './port-round.ts'
import type { PeerPath } from './survey.ts'

export const STEPS = ['link', 'route', 'neighbour', 'fdb', 'tunnel', 'underlay', 'udp-port', 'mtu'] as const
export type Step = (typeof STEPS)[number]

export interface Fault {
  readonly at: Step
  readonly what: string
  /** What to do about it. */
  readonly todo: string
}

/** What was asked over the wire, as far as it was. */
export interface WireFindings {
  /** The target over the overlay. */
  readonly overlay: EchoAnswer
  /** The endpoint over the underlay. */
  readonly underlay?: EchoAnswer
  readonly port?: PortAnswer
  /** The longest packets, bytes, that the target and the endpoint got whole. */
  readonly overlayMtu?: number
  readonly underlayMtu?: number
}

const REPAIR = 'start or restart podwire agent, which keeps it; "podwire node status" says what it was refused'

type Check = (path: PeerPath, view: KernelView, underlay: string) => Fault | undefined

const fault = (at: Step, what: string, todo = REPAIR): Fault => ({ at, what, todo })

const isDown = ({ up }: Link): boolean => !up

const checkLink: Check = ({ dev, link }, view, underlay) => {
  if (dev === '') return fault('link', 'the plan has no way to this peer: its lease lacks what this backend needs')
  const found = view.link(dev)
  const drift = view.linkDrift.get(dev)
  if (found === undefined) return fault('link', `the device ${dev} is missing`)
  if (isDown(found)) return fault('link', `the device ${dev} is down`)
  const below = view.link(underlay)
  if (below !== undefined && isDown(below))
    return fault('link', `the underlay's interface ${underlay} is down`, `ip link set ${underlay} up`)
  return link !== undefined && drift !== undefined ? fault('link', drift) : undefined
}

const checkRoute: Check = ({ route, dev, target }, view) => {
  const index = view.link(dev)?.index
  if (route === undefined || index === undefined) return undefined
  const found = view.routes(route.dst)
  const way = view.wayTo(target)
  const via = found.find((each) => each.index === index)
  if (found.length === 0) return fault('route', `the route to ${route.dst} over ${dev} is missing`)
  if (via === undefined)
    return fault('route', `the route to ${route.dst} leads over ${view.nameOf(found[0]?.index ?? 0)}, not ${dev}`)
  if (via.via !== route.via)
    return fault('route', `the route to ${route.dst} leads to ${via.via ?? 'no gateway'}, not ${route.via}`)
  if (way !== undefined && way !== index)
    return fault(
      'route',
      `packets to ${target} leave by ${view.nameOf(way)}, not ${dev}, though the route to ${route.dst} is there`,
      'a more specific route or a rule leads them away: ip route get, ip rule show',
    )
  return undefined
}

const checkNeigh: Check = ({ neigh, dev }, view) => {
  const index = view.link(dev)?.index
  if (neigh === undefined || index === undefined) return undefined
  const found = view.neigh(index, neigh.ip)
  if (found === undefined) return fault('neighbour', `the neighbour ${neigh.ip} of ${dev} is missing`)
  if (found.lladdr === neigh.lladdr) return undefined
  return fault('neighbour', `the neighbour ${neigh.ip} of ${dev} is at ${found.lladdr}, not ${neigh.lladdr}`)
}

const checkFdb: Check = ({ fdb, dev }, view) => {
  const index = view.link(dev)?.index
  if (fdb === undefined || index === undefined) return undefined
  const found = view.fdb(index, fdb.lladdr)
  if (found.length === 0) return fault('fdb', `the forwarding entry of ${fdb.lladdr} on ${dev} is missing`)
  if (found.some(({ ip }) => ip === fdb.ip)) return undefined
  const where = found.map(({ ip }) => ip).join(', ')
  return fault('fdb', `the forwarding entry of ${fdb.lladdr} on ${dev} leads to ${where}, not ${fdb.ip}`)
}

const checkTunnel: Check = ({ tunnel }, view) => {
  if (tunnel === undefined) return undefined
  const difference = peerDifference(tunnel, view.wireguardPeer(tunnel.dev, tunnel.publicKey))
  return difference === undefined ? undefined : fault('tunnel', difference)
}

const CHECKS: readonly Check[] = [checkLink, checkRoute, checkNeigh, checkFdb, checkTunnel]

/** What of the kernel's state differs, the first on the way of a packet first. */
export const kernelFaults = (path: PeerPath, view: KernelView, underlay: string): readonly Fault[] =>
  CHECKS.flatMap((check) => check(path, view, underlay) ?? [])

const portName = ({ endpoint, port }: PeerPath): string => `UDP port ${port} of ${endpoint}`
const kindOf = ({ link }: PeerPath): string => link?.device.kind ?? 'tunnel'

const PORT_FAULTS: { readonly [K in Exclude<PortAnswer, 'silent'>]: (path: PeerPath) => Fault } = {
  closed: (path) =>
    fault(
      'udp-port',
      `nothing listens on ${portName(path)}: the peer has no ${kindOf(path)} device, or it is down, or a firewall refuses`,
      'look there: podwire node status',
    ),
  rejected: (path) =>
    fault('udp-port', `packets to ${portName(path)} are rejected`, 'let them through: a firewall there or on the way'),
  blocked: (path) =>
    fault('udp-port', `this node's own firewall does not let packets out to ${portName(path)}`, 'nft list ruleset'),
}

/** WireGuard answers nobody whom it does not know: a port where it listens is silent. */
const handshakeFault = ({ tunnel, endpoint, port }: PeerPath, view: KernelView): Fault | undefined => {
  if (tunnel === undefined || view.wireguardPeer(tunnel.dev, tunnel.publicKey)?.lastHandshake !== 0) return undefined
  return fault(
    'tunnel',
    `${endpoint} answers, but there has been no handshake with it`,
    `keys or preshared keys differ, the peer does not know this node, or a firewall drops UDP ${port}: podwire node ping there`,
  )
}

/** The kernel's state is right, and nothing comes back. */
const wireFault = (path: PeerPath, view: KernelView, wire: WireFindings, underlay: string): Fault => {
  const { endpoint, port } = path
  if (wire.port !== undefined && wire.port !== 'silent') return PORT_FAULTS[wire.port](path)
  if (wire.underlay !== undefined && wire.underlay.rtt === undefined)
    return fault(
      'underlay',
      `${endpoint} does not answer over ${underlay}: the node is down, cut off, or answers no ICMP`,
      `ping ${endpoint}; ip route get ${endpoint}`,
    )
  const handshake = handshakeFault(path, view)
  if (handshake !== undefined) return handshake
  if (port === undefined)
    return fault(
      path.link === undefined ? 'underlay' : 'tunnel',
      `${path.target} does not answer`,
      'a firewall, or the peer has no entries of this node: podwire node ping there',
    )
  return fault(
    'udp-port',
    `${endpoint} answers, but what is sent to ${portName(path)} over ${path.dev}, or its answer, is lost`,
    `a firewall drops UDP ${port}, or the peer has no entries of this node: podwire node ping there`,
  )
}

/** The longest packet over the overlay that needs no fragmentation anywhere; undefined when it was not measured. */
export const pathMtu = ({ overhead }: PeerPath, { overlayMtu, underlayMtu }: WireFindings): number | undefined => {
  const found = [overlayMtu, underlayMtu === undefined ? undefined : underlayMtu - overhead]
  const known = found.filter((each) => each !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

const mtuTodo = (path: PeerPath, mtu: number, underlay: string): string => {
  const kind = path.link?.device.kind
  if (kind === 'vxlan' || kind === 'wireguard')
    return `set "MTU": ${mtu + path.overhead} in the "Backend" of the network configuration (what the underlay carries)`
  return `ip link set ${underlay} mtu ${mtu + path.overhead}, on every node`
}

const mtuFault = (path: PeerPath, view: KernelView, wire: WireFindings, underlay: string): Fault | undefined => {
  const [device, mtu] = [view.link(path.dev)?.mtu, pathMtu(path, wire)]
  if (device === undefined || mtu === undefined || mtu >= device) return undefined
  const lost = wire.overlayMtu === undefined || wire.overlayMtu < device
  const what = lost ? `packets longer than ${mtu} bytes are lost` : `packets longer than ${mtu} bytes are fragmented`
  return fault('mtu', `${what} on the way, and ${path.dev} has MTU ${device}`, mtuTodo(path, mtu, underlay))
}

export interface Diagnosis {
  readonly path: PeerPath
  readonly rtt?: number
  /** Bytes: of the device, and as measured. */
  readonly deviceMtu?: number
  readonly mtu?: number
  /** Why the peer is not reached as it should be. */
  readonly fault?: Fault
  /** What else is not as planned. */
  readonly notes: readonly Fault[]
}

/** `underlay` is the name of its interface. */
export const diagnose = (path: PeerPath, view: KernelView, wire: WireFindings, underlay: string): Diagnosis => {
  const found = kernelFaults(path, view, underlay)
  const isReached = wire.overlay.rtt !== undefined
  const reason = isReached ? mtuFault(path, view, wire, underlay) : (found[0] ?? wireFault(path, view, wire, underlay))
  const [device, mtu] = [view.link(path.dev)?.mtu, pathMtu(path, wire)]
  return {
    path,
    notes: found.filter((each) => each !== reason),
    ...(wire.overlay.rtt === undefined ? {} : { rtt: wire.overlay.rtt }),
    ...(device === undefined ? {} : { deviceMtu: device }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(reason === undefined ? {} : { fault: reason }),
  }
}
