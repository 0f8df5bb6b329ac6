/** What the kernel has of routes, neighbours and forwarding entries, compared with what is wanted: one dump of each kind and
 *  link, and only what differs is decoded. */
import type { Family } from '../addr/ip.ts'
import { eachMessage, NLMSG_DONE } from '../netlink/message.ts'
import { decodeNeigh, GET_NEIGHS, getNeighs, type LinkNeigh } from '../netlink/neigh.ts'
import { neighKey, neighKeyOf } from '../netlink/neigh-key.ts'
import {
  decodeRoutes,
  getRoutes,
  type LinkRoute,
  type RouteFilter,
  RTN_BLACKHOLE,
  RTN_UNICAST,
} from '../netlink/route.ts'
import { routeKey, routeKeyOf } from '../netlink/route-key.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import { type EntryFact, routeOf } from './entry.ts'

/** A link whose entries are looked at. */
export interface Place {
  readonly name: string
  readonly index: number
  /** '' for hardware. */
  readonly kind: string
  /** A link of the overlay: what is on it is looked at, not only what leads over it. */
  readonly own: boolean
}

/** What a dump had that is not wanted as it is. */
export interface Leftover {
  readonly place: Place
  readonly routes: readonly LinkRoute[]
  readonly neighs: readonly LinkNeigh[]
}

export interface Comparison {
  /** What the kernel does not have as it is wanted. */
  readonly lacking: readonly EntryFact[]
  readonly leftovers: readonly Leftover[]
  readonly blackholes: readonly LinkRoute[]
}

const FAMILIES: readonly Family[] = [4, 6]

const keyOf = (fact: EntryFact, index: number): string =>
  fact.kind === 'neigh' ? neighKey(index, fact) : routeKey(index, routeOf(fact))

/** Takes from `wanted` what the kernel has of it, and gives back the bodies of the other messages. */
const strike = (
  wanted: Map<string, EntryFact>,
  dump: Uint8Array,
  keyIn: (bytes: Uint8Array, from: number, to: number) => string,
): Uint8Array[] => {
  const others: Uint8Array[] = []
  eachMessage(dump, (type, _flags, from, to) => {
    if (type !== NLMSG_DONE && !wanted.delete(keyIn(dump, from, to))) others.push(dump.slice(from, to))
  })
  return others
}

const routesOf = (socket: NetlinkSocket, filter: RouteFilter, wanted: Map<string, EntryFact>): LinkRoute[] =>
  FAMILIES.map((family) => socket.dump('ip route show', getRoutes(family, filter)))
    .flatMap((dump) => strike(wanted, dump, routeKeyOf))
    .flatMap(decodeRoutes)

const routesAt = (socket: NetlinkSocket, { index }: Place, wanted: Map<string, EntryFact>): LinkRoute[] =>
  routesOf(socket, { index }, wanted).filter((route) => route.index === index && route.type === RTN_UNICAST)

const blackholesOf = (socket: NetlinkSocket, wanted: Map<string, EntryFact>): LinkRoute[] =>
  routesOf(socket, { type: RTN_BLACKHOLE }, wanted).filter(({ type }) => type === RTN_BLACKHOLE)

const TABLES = [
  ['neigh', 4],
  ['neigh', 6],
  ['fdb', 4],
] as const

/** Permanent ones: the kernel makes others itself, as of multicast. */
const neighsAt = (socket: NetlinkSocket, { index }: Place, wanted: Map<string, EntryFact>): LinkNeigh[] =>
  TABLES.flatMap(([table, family]) =>
    strike(wanted, socket.dump(GET_NEIGHS[table], getNeighs(table, family, index)), neighKeyOf)
      .map((body) => decodeNeigh(table, body))
      .filter((entry) => entry?.permanent === true && entry.index === index)
      .filter((entry) => entry !== undefined),
  )

/** Facts over a link that is not among `places` lack. @throws NetlinkError when the kernel cannot be read */
export const compareEntries = (
  facts: readonly EntryFact[],
  places: readonly Place[],
  socket: NetlinkSocket,
): Comparison => {
  const indexes = new Map(places.map(({ name, index }) => [name, index]))
  const wanted = new Map<string, EntryFact>()
  const homeless: EntryFact[] = []
  const settled = new Set<string>()
  for (const fact of facts) {
    const index = fact.kind === 'blackhole' ? 0 : indexes.get(fact.dev)
    if (index === undefined) homeless.push(fact)
    else wanted.set(keyOf(fact, index), fact)
    if (fact.kind === 'neigh') settled.add(fact.dev)
  }
  const leftovers = places.map((place) => ({
    place,
    routes: routesAt(socket, place, wanted),
    neighs: place.own || settled.has(place.name) ? neighsAt(socket, place, wanted) : [],
  }))
  const blackholes = blackholesOf(socket, wanted)
  return { lacking: [...wanted.values(), ...homeless], leftovers, blackholes }
}
