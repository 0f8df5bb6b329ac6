/** Fact: a route over a link. */

import { familyOf } from '../addr/ip.ts'
import { isExists, isNotFound } from '../netlink/error.ts'
import { getLink } from '../netlink/link.ts'
import {
  delRoute,
  dumpRoutes,
  type LinkRoute,
  newRoute,
  type RouteSpec,
  RT_TABLE_MAIN,
  sameDestination,
  scopeOf,
} from '../netlink/route.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface RouteFact extends RouteSpec {
  readonly kind: 'route'
  readonly ns: Ns
  readonly dev: string
}

/** What follows `ip route add`, `prepend` or `del`. */
const routeText = (fact: RouteFact): string =>
  [
    `${fact.dst}`,
    ...(fact.via === undefined ? [] : [`via ${fact.via}`]),
    `dev ${fact.dev}`,
    ...(fact.src === undefined ? [] : [`src ${fact.src}`]),
    ...(fact.table === undefined ? [] : [`table ${fact.table}`]),
    ...(fact.protocol === undefined ? [] : [`proto ${fact.protocol}`]),
    ...(fact.scope === undefined ? [] : [`scope ${fact.scope}`]),
    ...(fact.priority ? [`metric ${fact.priority}`] : []),
    ...(fact.mtu ? [`mtu ${fact.mtu}`] : []),
    ...(fact.advmss ? [`advmss ${fact.advmss}`] : []),
    ...(fact.onlink ? ['onlink'] : []),
  ].join(' ')

/** A pod may have attachments with the same routes, as a default route each: the last one comes first, as upstream's
 *  (pkg/ipam ConfigureIface). On the node a route to the same destination belongs to somebody else. */
const isExclusive = ({ ns }: RouteFact): boolean => ns === 'node'

const render = (fact: RouteFact): string => `ip route ${isExclusive(fact) ? 'add' : 'prepend'} ${routeText(fact)}`

const ensure = (fact: RouteFact, kernel: Kernel): boolean => {
  const index = indexOf(fact.ns, fact.dev, kernel)
  try {
    kernel.route(fact.ns).request(() => render(fact), newRoute(index, fact, isExclusive(fact)))
    return true
  } catch (error) {
    if (isExists(error) && held(fact, index, kernel)) return false
    throw error
  }
}

const matches = (fact: RouteFact, index: number, found: LinkRoute): boolean =>
  found.index === index &&
  sameDestination(fact.dst, found.dst) &&
  found.table === (fact.table ?? RT_TABLE_MAIN) &&
  found.via === fact.via &&
  (fact.protocol === undefined || found.protocol === fact.protocol) &&
  (fact.scope === undefined || found.scope === scopeOf(fact)) &&
  (fact.src === undefined || found.src === fact.src) &&
  (!fact.priority || found.priority === fact.priority) &&
  (!fact.mtu || found.mtu === fact.mtu) &&
  (!fact.advmss || found.advmss === fact.advmss)

const held = (fact: RouteFact, index: number, kernel: Kernel): boolean =>
  dumpRoutes(kernel.route(fact.ns), familyOf(fact.dst)).some((found) => matches(fact, index, found))

const remove = (fact: RouteFact, kernel: Kernel): void => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  if (link === undefined) return
  try {
    kernel.route(fact.ns).request(() => `ip route del ${routeText(fact)}`, delRoute(link.index, fact))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const drift = (fact: RouteFact, kernel: Kernel): string | undefined => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  if (link !== undefined && held(fact, link.index, kernel)) return undefined
  return `route ${routeText(fact)} is missing`
}

export const routeOperations: Operations<RouteFact> = { render, ensure, remove, drift }
