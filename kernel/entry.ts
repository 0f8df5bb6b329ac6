/** Facts that are one netlink message each, of which an overlay has thousands: routes, neighbours, forwarding entries. */
import { encodeNeighWords, neighWords } from '../netlink/neigh-words.ts'
import type { RouteSpec } from '../netlink/route.ts'
import { encodeRouteWords, routeWords } from '../netlink/route-words.ts'
import type { Batch, Verb } from '../netlink/word-batch.ts'
import type { Words } from '../netlink/words.ts'
import { type BlackholeFact, blackholeRoute } from './blackhole.ts'
import type { NeighFact } from './neigh.ts'
import { operationsOf } from './operations.ts'
import type { Reason } from './outcome.ts'
import type { Fact } from './plan.ts'
import type { RouteFact } from './route.ts'

export type EntryFact = RouteFact | BlackholeFact | NeighFact

export const isEntry = (fact: Fact): fact is EntryFact =>
  fact.kind === 'route' || fact.kind === 'neigh' || fact.kind === 'blackhole'

export interface Write {
  readonly verb: Verb
  readonly fact: EntryFact
  readonly why: Reason
}

/** The route that a fact is. */
export const routeOf = (fact: RouteFact | BlackholeFact): RouteSpec =>
  fact.kind === 'blackhole' ? blackholeRoute(fact) : fact

/** The entry that a fact is. @param index of its link; of no meaning for a blackhole */
export const writeWords = (words: Words, fact: EntryFact, index: number): void => {
  if (fact.kind === 'neigh') neighWords(words, index, fact)
  else routeWords(words, index, routeOf(fact))
}

/** Writes the message that makes or removes what `fact` states; `words` is room to work in. */
export const encodeEntry = (batch: Batch, verb: Verb, fact: EntryFact, index: number, words: Words): void => {
  writeWords(words, fact, index)
  if (fact.kind === 'neigh') encodeNeighWords(batch, verb, words, fact.protocol !== undefined)
  else encodeRouteWords(batch, verb, words)
}

/** As of a change: what the command about an entry is about. */
export const objectOfEntry = (fact: EntryFact): string => {
  if (fact.kind !== 'neigh') return 'ip route'
  return fact.table === 'fdb' ? 'bridge fdb' : 'ip neigh'
}

/** The command that takes a fact back; of a kind that has none, the one that makes it. */
export const renderRemoval = (fact: Fact): string => {
  if (fact.kind === 'link') return `ip link del ${fact.name}`
  const text = operationsOf(fact).render(fact)
  return isEntry(fact) || fact.kind === 'addr' ? text.replace(/ (add|prepend|replace) /, ' del ') : text
}

export const renderWrite = ({ verb, fact }: Write): string => {
  if (verb === 'remove') return renderRemoval(fact)
  const text = operationsOf(fact).render(fact)
  return verb === 'replace' ? text.replace(/ (add|prepend) /, ' replace ') : text
}
