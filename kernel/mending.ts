/** What must be written so that the kernel holds the entries of a plan, and none of ours besides. */
import type { Cidr } from '../addr/cidr.ts'
import type { LinkNeigh } from '../netlink/neigh.ts'
import type { LinkRoute } from '../netlink/route.ts'
import { givesWay, slotOf } from './contest.ts'
import { type EntryFact, routeOf, type Write } from './entry.ts'
import type { Comparison, Leftover } from './holdings.ts'
import { isCarriedRoute, isFlannelRoute, isOwnNeigh, isOwnRoute, type Scope, subnetLengths } from './ownership.ts'

const stale = (fact: EntryFact): Write => ({ verb: 'remove', fact, why: 'stale' })
const routeFact = (dev: string, route: LinkRoute): EntryFact =>
  route.blackhole ? { ...route, kind: 'blackhole', ns: 'node' } : { ...route, kind: 'route', ns: 'node', dev }
const neighFact = (dev: string, neigh: LinkNeigh): EntryFact => ({ ...neigh, kind: 'neigh', ns: 'node', dev })

/** Of what the kernel has only one. */
const placeOf = (fact: EntryFact): string =>
  fact.kind === 'neigh' ? neighPlace(fact.dev, fact) : slotOf(routeOf(fact))
const neighPlace = (dev: string, { table, ip, lladdr }: Pick<LinkNeigh, 'table' | 'ip' | 'lladdr'>): string =>
  `${dev} ${table} ${table === 'fdb' ? lladdr : ip}`

/** What lacks, each in the place of the entry that is there instead. */
const mend = (lacking: ReadonlyMap<string, EntryFact>, found: ReadonlyMap<string, boolean>): Write[] =>
  [...lacking].map(([place, fact]) => {
    const yields = found.get(place)
    return { verb: yields ? 'replace' : 'add', fact, why: yields === undefined ? 'missing' : 'different' }
  })

interface Findings {
  /** Places of lacking facts that another entry is in; whether it gives way. */
  readonly found: Map<string, boolean>
  readonly routes: Write[]
  readonly forwarding: Write[]
  readonly neighs: Write[]
  /** Second destinations of forwarding entries; to be removed after the first was set. */
  readonly seconds: Write[]
}

const judgeRoutes = (
  dev: string,
  routes: readonly LinkRoute[],
  isOurs: (route: LinkRoute) => boolean,
  lacking: ReadonlyMap<string, EntryFact>,
  findings: Findings,
): void => {
  for (const route of routes) {
    const slot = slotOf(route)
    if (lacking.has(slot)) findings.found.set(slot, givesWay(route) && findings.found.get(slot) !== false)
    else if (isOurs(route)) findings.routes.push(stale(routeFact(dev, route)))
  }
}

const judgeNeighs = (
  { place: { name }, neighs }: Leftover,
  isOurs: (neigh: LinkNeigh) => boolean,
  lacking: ReadonlyMap<string, EntryFact>,
  wanted: ReadonlySet<string>,
  findings: Findings,
): void => {
  const hosts = neighs.filter(({ table }) => table === 'neigh')
  const own = hosts.filter((neigh) => lacking.has(neighPlace(name, neigh)) || isOurs(neigh))
  const macs = new Set(own.map(({ lladdr }) => lladdr))
  for (const neigh of own)
    if (lacking.has(neighPlace(name, neigh))) findings.found.set(neighPlace(name, neigh), true)
    else findings.neighs.push(stale(neighFact(name, neigh)))
  for (const entry of neighs.filter(({ table }) => table === 'fdb')) {
    const place = neighPlace(name, entry)
    if (lacking.has(place)) findings.found.set(place, true)
    if (wanted.has(place)) findings.seconds.push(stale(neighFact(name, entry)))
    else if (entry.marked || (entry.permanent && macs.has(entry.lladdr)))
      findings.forwarding.push(stale(neighFact(name, entry)))
  }
}

/** Of the subnets that the plan and what is left of flanneld route over links of the overlay. */
const subnetsOf = (facts: readonly EntryFact[], leftovers: readonly Leftover[], networks: readonly Cidr[]): Cidr[] => [
  ...facts.flatMap((fact) => (fact.kind === 'route' ? [fact.dst] : [])),
  ...leftovers.flatMap(({ place, routes }) =>
    routes.filter((route) => isFlannelRoute(route, place.kind, networks)).map(({ dst }) => dst),
  ),
]

const placesOfForwarding = (facts: readonly EntryFact[]): ReadonlySet<string> =>
  new Set(facts.flatMap((fact) => (fact.kind === 'neigh' && fact.table === 'fdb' ? [placeOf(fact)] : [])))

/** In the order to write them: what is stale, routes before what they lead to; then what lacks, as the plan has it. */
export const planMending = (facts: readonly EntryFact[], { networks }: Scope, comparison: Comparison): Write[] => {
  const { leftovers, blackholes } = comparison
  const lacking = new Map(comparison.lacking.map((fact) => [placeOf(fact), fact]))
  const findings: Findings = { found: new Map(), routes: [], forwarding: [], neighs: [], seconds: [] }
  const isOverlay = leftovers.some(({ neighs }) => neighs.length > 0)
  const lengths = subnetLengths(isOverlay ? subnetsOf(facts, leftovers, networks) : [])
  const wanted = isOverlay ? placesOfForwarding(facts) : new Set<string>()
  for (const leftover of leftovers) {
    const { name, kind, own } = leftover.place
    const isOurs = (route: LinkRoute) => (own ? isOwnRoute(route, kind, networks) : isCarriedRoute(route, networks))
    judgeRoutes(name, leftover.routes, isOurs, lacking, findings)
    judgeNeighs(leftover, (neigh) => own && isOwnNeigh(neigh, networks, lengths), lacking, wanted, findings)
  }
  judgeRoutes('', blackholes, (route) => isCarriedRoute(route, networks), lacking, findings)
  const { found, routes, forwarding, neighs, seconds } = findings
  return [...routes, ...forwarding, ...neighs, ...mend(lacking, found), ...seconds]
}
