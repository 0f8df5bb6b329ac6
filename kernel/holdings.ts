/** What the kernel has of routes, neighbours and forwarding entries, compared with what is wanted: one dump of each kind and
 *  link, and only what differs is decoded. */
import type { Family } from '../addr/ip.ts'
import { isNotFound } from '../netlink/error.ts'
import { decodeNeigh, GET_NEIGHS, getNeighs, type LinkNeigh, NUD_PERMANENT } from '../netlink/neigh.ts'
import { readNeighWords } from '../netlink/neigh-words.ts'
import {
  decodeRoutes,
  getRoutes,
  type LinkRoute,
  type RouteFilter,
  RTN_BLACKHOLE,
  RTN_UNICAST,
} from '../netlink/route.ts'
import { readRouteWords } from '../netlink/route-words.ts'
import type { EachMessage, NetlinkSocket } from '../netlink/socket.ts'
import { makeWordTable, type WordTable } from '../netlink/word-table.ts'
import { makeWords, u16At, type Words } from '../netlink/words.ts'
import { givesWay } from './contest.ts'
import { type EntryFact, writeWords } from './entry.ts'

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

/** What is wanted and has not been found yet. */
interface Search {
  readonly facts: readonly EntryFact[]
  readonly table: WordTable
  /** By the number of the fact: 1 for one that the kernel has. */
  readonly has: Uint8Array
  readonly words: Words
}

/** A fact over a link that is not among `indexes` is not searched for. */
const openSearch = (facts: readonly EntryFact[], indexes: ReadonlyMap<string, number>): Search => {
  const search = { facts, table: makeWordTable(facts.length), has: new Uint8Array(facts.length), words: makeWords() }
  for (const [i, fact] of facts.entries()) {
    const index = fact.kind === 'blackhole' ? 0 : indexes.get(fact.dev)
    if (index === undefined) continue
    writeWords(search.words, fact, index)
    if (!search.table.add(search.words, i)) search.has[i] = 1 // stated twice
  }
  return search
}

type Reader = (words: Words, bytes: Uint8Array, from: number, to: number) => boolean

/** Notes in `search` what the kernel has of it, and gives back the bodies of the other messages that may be ours. A dump may
 *  have an entry twice: when its table grew meanwhile, or, of a kernel without IPv6, in place of that family's. */
const strike = (
  search: Search,
  dump: (each: EachMessage, again: () => void) => void,
  read: Reader,
  mayBeOurs: (bytes: Uint8Array, from: number) => boolean,
): Uint8Array[] => {
  let others: Uint8Array[] = []
  let struck: number[] = []
  const each: EachMessage = (bytes, from, to) => {
    const number = read(search.words, bytes, from, to) ? search.table.find(search.words) : -1
    if (number >= 0) {
      if (search.has[number] === 0) struck.push(number)
      search.has[number] = 1
    } else if (mayBeOurs(bytes, from)) others.push(bytes.slice(from, to))
  }
  const again = (): void => {
    for (const number of struck) search.has[number] = 0
    others = []
    struck = []
  }
  try {
    dump(each, again)
  } catch (error) {
    if (!isNotFound(error)) throw error
    again() // the link went meanwhile, and what was on it
  }
  return others
}

const isYielding = (bytes: Uint8Array, from: number): boolean => givesWay({ protocol: bytes[from + 5] ?? 0 })

const routesOf = (socket: NetlinkSocket, filter: RouteFilter, search: Search): LinkRoute[] =>
  FAMILIES.flatMap((family) => {
    const dump = (each: EachMessage, again: () => void): void =>
      socket.dump('ip route show', getRoutes(family, filter), each, again)
    return strike(search, dump, readRouteWords, isYielding)
  }).flatMap(decodeRoutes)

const routesAt = (socket: NetlinkSocket, { index }: Place, search: Search): LinkRoute[] =>
  routesOf(socket, { index }, search).filter((route) => route.index === index && route.type === RTN_UNICAST)

const blackholesOf = (socket: NetlinkSocket, search: Search): LinkRoute[] =>
  routesOf(socket, { type: RTN_BLACKHOLE }, search).filter(({ type }) => type === RTN_BLACKHOLE)

const TABLES = [
  ['neigh', 4],
  ['neigh', 6],
  ['fdb', 4],
] as const

/** The kernel makes others itself, as of multicast. */
const isPermanent = (bytes: Uint8Array, from: number): boolean => (u16At(bytes, from + 8) & NUD_PERMANENT) !== 0

const neighsAt = (socket: NetlinkSocket, { index }: Place, search: Search): LinkNeigh[] =>
  TABLES.flatMap(([table, family]) => {
    const dump = (each: EachMessage, again: () => void): void =>
      socket.dump(GET_NEIGHS[table], getNeighs(table, family, index), each, again)
    return strike(search, dump, readNeighWords, isPermanent).map((body) => decodeNeigh(table, body))
  })
    .filter((entry) => entry?.index === index)
    .filter((entry) => entry !== undefined)

/** Facts over a link that is not among `places` lack. @throws NetlinkError when the kernel cannot be read */
export const compareEntries = (
  facts: readonly EntryFact[],
  places: readonly Place[],
  socket: NetlinkSocket,
): Comparison => {
  const search = openSearch(facts, new Map(places.map(({ name, index }) => [name, index])))
  const settled = new Set<string>()
  for (const fact of facts) if (fact.kind === 'neigh') settled.add(fact.dev)
  const leftovers = places.map((place) => ({
    place,
    routes: routesAt(socket, place, search),
    neighs: place.own || settled.has(place.name) ? neighsAt(socket, place, search) : [],
  }))
  const blackholes = blackholesOf(socket, search)
  return { lacking: facts.filter((_, i) => search.has[i] === 0), leftovers, blackholes }
}
