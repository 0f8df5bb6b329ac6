/** What must be written so that the kernel holds the entries of a plan, and none of ours besides. */
import type { Cidr } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import type { LinkNeigh } from '../netlink/neigh.ts'
import { type LinkRoute, priorityOf, RT_TABLE_MAIN, RTPROT_PODWIRE, scopeOf } from '../netlink/route.ts'
import { givesWay, slotOf } from './contest.ts'
import { type EntryFact, routeOf, type Write } from './entry.ts'
import type { Comparison, Leftover } from './holdings.ts'
import { isCarriedRoute, isFlannelRoute, isOwnNeigh, isOwnRoute, type Scope, subnetLengths } from './ownership.ts'

const stale = (fact: EntryFact): Write => ({ verb: 'remove', fact, why: 'stale' })
/** As a plan would state it: what is the kernel's default is left out. */
const routeFact = (dev: string, route: LinkRoute): EntryFact => {
  const { dst, via, src, onlink, protocol, table, scope, priority, mtu, advmss } = route
  if (route.blackhole) return { kind: 'blackhole', ns: 'node', dst, protocol, priority }
  const bare = { dst, ...(via === undefined ? {} : { via }) }
  return {
    kind: 'route',
    ns: 'node',
    dev,
    ...bare,
    ...(src === undefined ? {} : { src }),
    ...(table === RT_TABLE_MAIN ? {} : { table }),
    ...(scope === scopeOf(bare) ? {} : { scope }),
    ...(priority === priorityOf(bare) ? {} : { priority }),
    protocol,
    onlink,
    mtu,
    advmss,
  }
}
const neighFact = (dev: string, { table, ip, lladdr, protocol, marked }: LinkNeigh): EntryFact => {
  const owner = table === 'neigh' ? protocol : marked ? RTPROT_PODWIRE : 0
  return { kind: 'neigh', ns: 'node', dev, table, ip, lladdr, ...(owner === 0 ? {} : { protocol: owner }) }
}

/** Of what the kernel has only one. */
const placeOf = (fact: EntryFact): string =>
  fact.kind === 'neigh' ? neighPlace(fact.dev, fact) : slotOf(routeOf(fact))
const neighPlace = (dev: string, { table, ip, lladdr }: Pick<LinkNeigh, 'table' | 'ip' | 'lladdr'>): string =>
  `${dev} ${table} ${table === 'fdb' ? lladdr : ip}`

interface Findings {
  /** Places of entries that give way: what is wanted there is put in their place. */
  readonly found: Set<string>
  readonly routes: Write[]
  readonly forwarding: Write[]
  readonly neighs: Write[]
}

/** What the plan says of places, worked out when an entry is found that might be in one of them. */
interface Demand {
  readonly lacks: (place: string) => boolean
  readonly lengths: () => Readonly<Record<Family, number>>
}

/** `value()` at its first use. */
const lazily = <T>(value: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= value()
    return made
  }
}

const demandOf = (facts: readonly EntryFact[], networks: readonly Cidr[], comparison: Comparison): Demand => {
  const lacking = lazily(() => new Set(comparison.lacking.map(placeOf)))
  return {
    lacks: (place) => lacking().has(place),
    lengths: lazily(() => subnetLengths(subnetsOf(facts, comparison.leftovers, networks))),
  }
}

/** That the plan, and what is left of flanneld, route to. */
const subnetsOf = (facts: readonly EntryFact[], leftovers: readonly Leftover[], networks: readonly Cidr[]): Cidr[] => [
  ...facts.filter((fact) => fact.kind === 'route').map(({ dst }) => dst),
  ...leftovers.flatMap(({ place, routes }) =>
    routes.filter((route) => isFlannelRoute(route, place.kind, networks)).map(({ dst }) => dst),
  ),
]

/** Routes that do not give way are nobody's to remove, and refuse what is wanted in their place. */
const judgeRoutes = (
  dev: string,
  routes: readonly LinkRoute[],
  isOurs: (route: LinkRoute) => boolean,
  demand: Demand,
  findings: Findings,
): void => {
  for (const route of routes.filter(givesWay)) {
    const slot = slotOf(route)
    if (demand.lacks(slot)) findings.found.add(slot)
    else if (isOurs(route)) findings.routes.push(stale(routeFact(dev, route)))
  }
}

/** Returns the MACs of neighbours that are ours or were: what is forwarded to them is ours, too. */
const judgeNeighs = (
  name: string,
  neighs: readonly LinkNeigh[],
  isOurs: (neigh: LinkNeigh) => boolean,
  demand: Demand,
  findings: Findings,
): ReadonlySet<Mac> => {
  const macs = new Set<Mac>()
  for (const neigh of neighs) {
    const place = neighPlace(name, neigh)
    const lacks = demand.lacks(place)
    if (lacks) findings.found.add(place)
    else if (!isOurs(neigh)) continue
    else findings.neighs.push(stale(neighFact(name, neigh)))
    macs.add(neigh.lladdr)
  }
  return macs
}

const judgeForwarding = (
  name: string,
  entries: readonly LinkNeigh[],
  macs: ReadonlySet<Mac>,
  demand: Demand,
  findings: Findings,
): void => {
  for (const entry of entries) {
    const place = neighPlace(name, entry)
    if (demand.lacks(place)) findings.found.add(place)
    else if (entry.marked || macs.has(entry.lladdr)) findings.forwarding.push(stale(neighFact(name, entry)))
  }
}

const judge = ({ place, routes, neighs }: Leftover, networks: readonly Cidr[], demand: Demand, findings: Findings) => {
  const { name, kind, own } = place
  const isOurRoute = (route: LinkRoute) => (own ? isOwnRoute(route, kind, networks) : isCarriedRoute(route, networks))
  const isOurNeigh = (neigh: LinkNeigh) => own && isOwnNeigh(neigh, networks, demand.lengths())
  judgeRoutes(name, routes, isOurRoute, demand, findings)
  const hosts = neighs.filter(({ table }) => table === 'neigh')
  const macs = judgeNeighs(name, hosts, isOurNeigh, demand, findings)
  const entries = neighs.filter(({ table }) => table === 'fdb')
  judgeForwarding(name, entries, macs, demand, findings)
}

const mend = (lacking: readonly EntryFact[], { found }: Findings): Write[] => {
  if (found.size === 0) return lacking.map((fact) => ({ verb: 'add', fact, why: 'missing' }))
  return lacking.map((fact) =>
    found.has(placeOf(fact)) ? { verb: 'replace', fact, why: 'different' } : { verb: 'add', fact, why: 'missing' },
  )
}

/** In the order to write them: what is stale, routes before what they lead to; then what lacks, as the plan has it. */
export const planMending = (facts: readonly EntryFact[], { networks }: Scope, comparison: Comparison): Write[] => {
  const demand = demandOf(facts, networks, comparison)
  const findings: Findings = { found: new Set(), routes: [], forwarding: [], neighs: [] }
  for (const leftover of comparison.leftovers) judge(leftover, networks, demand, findings)
  const isOurs = (route: LinkRoute) => isCarriedRoute(route, networks)
  judgeRoutes('', comparison.blackholes, isOurs, demand, findings)
  const { routes, forwarding, neighs } = findings
  return [...routes, ...forwarding, ...neighs, ...mend(comparison.lacking, findings)]
}
