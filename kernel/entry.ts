/** Facts that are one netlink message each, of which an overlay has thousands: routes, neighbours, forwarding entries. */
import type { Message } from '../netlink/message.ts'
import { delNeigh, newNeigh } from '../netlink/neigh.ts'
import { delRoute, newRoute, type RouteSpec, replaceRoute } from '../netlink/route.ts'
import { type BlackholeFact, blackholeRoute } from './blackhole.ts'
import type { NeighFact } from './neigh.ts'
import { operationsOf } from './operations.ts'
import type { Reason } from './outcome.ts'
import type { Fact } from './plan.ts'
import type { RouteFact } from './route.ts'

export type EntryFact = RouteFact | BlackholeFact | NeighFact

export const isEntry = (fact: Fact): fact is EntryFact =>
  fact.kind === 'route' || fact.kind === 'neigh' || fact.kind === 'blackhole'

/** `add` leaves alone what somebody else has there, `replace` does not. */
export type Verb = 'add' | 'replace' | 'remove'

export interface Write {
  readonly verb: Verb
  readonly fact: EntryFact
  readonly why: Reason
}

/** The route that a fact is. */
export const routeOf = (fact: RouteFact | BlackholeFact): RouteSpec =>
  fact.kind === 'blackhole' ? blackholeRoute(fact) : fact

const neighMessage = (verb: Verb, fact: NeighFact, index: number): Message =>
  verb === 'remove' ? delNeigh(index, fact) : newNeigh(index, fact)

/** @param index of the fact's link; of no meaning for a blackhole */
export const entryMessage = (verb: Verb, fact: EntryFact, index: number): Message => {
  if (fact.kind === 'neigh') return neighMessage(verb, fact, index)
  const route = routeOf(fact)
  if (verb === 'remove') return delRoute(index, route)
  return verb === 'add' ? newRoute(index, route) : replaceRoute(index, route)
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
