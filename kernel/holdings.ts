/** What the kernel has of routes, neighbours and forwarding entries, compared with what is wanted: one dump of each kind and
 *  link, and only what differs is decoded. */
import type { Family } from '../addr/ip.ts'
import { neighKey, neighKeyOf, routeKey, routeKeyOf } from '../netlink/key.ts'
import type { Received } from '../netlink/message.ts'
import { decodeNeigh, dumpNeighMessages, type LinkNeigh } from '../netlink/neigh.ts'
import { decodeRoutes, dumpRouteMessages, type LinkRoute, RTN_BLACKHOLE } from '../netlink/route.ts'
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

/** Takes from `wanted` what is among `messages`, and gives back the others. */
const strike = (wanted: Map<string, EntryFact>, messages: readonly Received[], keyIn: (body: Uint8Array) => string) =>
  messages.filter(({ body }) => !wanted.delete(keyIn(body)))

const routesAt = (socket: NetlinkSocket, { index }: Place, wanted: Map<string, EntryFact>): LinkRoute[] =>
  FAMILIES.flatMap((family) => strike(wanted, dumpRouteMessages(socket, family, { index }), routeKeyOf))
    .flatMap(decodeRoutes)
    .filter((route) => route.index === index)

const neighsAt = (socket: NetlinkSocket, { index }: Place, wanted: Map<string, EntryFact>): LinkNeigh[] =>
  (['neigh', 'fdb'] as const).flatMap((table) =>
    (table === 'fdb' ? FAMILIES.slice(0, 1) : FAMILIES)
      .flatMap((family) => strike(wanted, dumpNeighMessages(socket, table, family, index), neighKeyOf))
      .map((message) => decodeNeigh(table, message))
      .filter((entry) => entry?.index === index)
      .filter((entry) => entry !== undefined),
  )

const blackholesOf = (socket: NetlinkSocket, wanted: Map<string, EntryFact>): LinkRoute[] =>
  FAMILIES.flatMap((family) => strike(wanted, dumpRouteMessages(socket, family, { type: RTN_BLACKHOLE }), routeKeyOf))
    .flatMap(decodeRoutes)
    .filter(({ type }) => type === RTN_BLACKHOLE)

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
