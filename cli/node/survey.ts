/** What must hold for each peer to be reached, taken from the plan: which link, route, neighbour and forwarding entry lead to
 *  it, and what is asked over the wire. */
import { cidrFamily, contains, firstOf } from '../../addr/cidr.ts'
import { type Family, familyOf, type Ip } from '../../addr/ip.ts'
import type { LinkFact } from '../../kernel/link.ts'
import type { NeighFact } from '../../kernel/neigh.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import type { RouteFact } from '../../kernel/route.ts'
import type { WireguardPeerFact } from '../../kernel/wireguard-peer.ts'
import { FAMILIES, publicIPOf } from '../../overlay/families.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { Backend } from '../../overlay/net-conf.ts'
import { IPIP_OVERHEAD, VXLAN_OVERHEAD } from '../../overlay/overhead.ts'

export type PeerLease = Pick<Lease, 'key' | 'subnet' | 'ipv6Subnet' | 'publicIP' | 'publicIPv6'>

/** The way to one peer in one address family. */
export interface PeerPath {
  readonly key: string
  readonly family: Family
  /** The address that is asked for an echo: of the peer's device, or, with host-gw, of the peer itself. */
  readonly target: Ip
  /** The link by which packets to the peer's pods leave; '' when the plan has no way to it. */
  readonly dev: string
  /** Left out: it is the underlay's, and the packets go as they are. */
  readonly link?: LinkFact
  readonly route?: RouteFact
  readonly neigh?: NeighFact
  readonly fdb?: NeighFact
  /** Of wireguard. */
  readonly tunnel?: WireguardPeerFact
  /** Where the tunnel's packets are sent. */
  readonly endpoint?: Ip
  /** UDP port of the tunnel at the endpoint. */
  readonly port?: number
  /** Bytes that the tunnel adds to each packet. */
  readonly overhead: number
}

/** What is to be diagnosed. */
export interface Survey {
  /** Where it comes from, in words. */
  readonly source: string
  readonly backend: Backend
  /** The interface that leads to the other nodes. */
  readonly underlay: string
  readonly base: Plan
  readonly peers: readonly { readonly lease: PeerLease; readonly plan: Plan }[]
}

const isRoute = (fact: Fact): fact is RouteFact => fact.kind === 'route'
const isNeigh = (fact: Fact): fact is NeighFact => fact.kind === 'neigh'
const isWireguardPeer = (fact: Fact): fact is WireguardPeerFact => fact.kind === 'wireguard-peer'

/** Outer header, UDP header, header and tag of WireGuard. wireguard.com/protocol. */
const wireguardOverhead = (endpoint: Ip): number => (familyOf(endpoint) === 4 ? 20 : 40) + 8 + 32

const overheadOf = (link: LinkFact | undefined, endpoint: Ip | undefined): number => {
  if (link === undefined || endpoint === undefined) return 0
  const { kind } = link.device
  if (kind === 'vxlan') return VXLAN_OVERHEAD[familyOf(endpoint)]
  if (kind === 'ipip') return IPIP_OVERHEAD
  return kind === 'wireguard' ? wireguardOverhead(endpoint) : 0
}

/** The route to `target`, of the peer's part of the plan or, with wireguard, of the node's. */
const routeOf = (target: Ip, plan: Plan, base: Plan): RouteFact | undefined =>
  [...plan, ...base].filter(isRoute).find(({ dst }) => cidrFamily(dst) === familyOf(target) && contains(dst, target))

/** The entries that a packet over `route` meets one after the other. */
const entriesOf = (route: RouteFact, plan: Plan): Pick<PeerPath, 'neigh' | 'fdb'> => {
  const entries = plan.filter(isNeigh).filter(({ dev }) => dev === route.dev)
  const neigh = entries.find(({ table, ip }) => table === 'neigh' && ip === route.via)
  const fdb = entries.find(({ table, lladdr }) => table === 'fdb' && lladdr === neigh?.lladdr)
  return { ...(neigh === undefined ? {} : { neigh }), ...(fdb === undefined ? {} : { fdb }) }
}

const portOf = (link: LinkFact | undefined, peer: WireguardPeerFact | undefined): number | undefined =>
  link?.device.kind === 'vxlan' ? link.device.port : peer?.endpoint.port

const pathOf = (
  { base, backend }: Survey,
  { lease, plan }: Survey['peers'][number],
  family: Family,
): PeerPath | undefined => {
  const [subnet, publicIP] = [family === 4 ? lease.subnet : lease.ipv6Subnet, publicIPOf(lease, family)]
  if (subnet === undefined) return undefined
  const vtep = firstOf(subnet)
  const route = routeOf(vtep, plan, base)
  const dev = route?.dev ?? ''
  const link = base.find((fact): fact is LinkFact => fact.kind === 'link' && fact.name === dev)
  const tunnel = plan.filter(isWireguardPeer).find(({ allowedIPs }) => allowedIPs.some((each) => contains(each, vtep)))
  const entries = route === undefined ? {} : entriesOf(route, plan)
  const endpoint = entries.fdb?.ip ?? tunnel?.endpoint.ip ?? publicIP
  const port = portOf(link, tunnel)
  return {
    ...{ key: lease.key, family, dev, overhead: overheadOf(link, endpoint), ...entries },
    target: backend.kind === 'host-gw' && publicIP !== undefined ? publicIP : vtep,
    ...(link === undefined ? {} : { link }),
    ...(route === undefined ? {} : { route }),
    ...(tunnel === undefined ? {} : { tunnel }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(port === undefined ? {} : { port }),
  }
}

/** One for each peer and family. */
export const pathsOf = (survey: Survey): readonly PeerPath[] =>
  survey.peers.flatMap((peer) => FAMILIES.flatMap((family) => pathOf(survey, peer, family) ?? []))
