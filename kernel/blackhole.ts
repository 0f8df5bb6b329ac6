/** Fact: what is sent to a destination is dropped when no other route leads there. Its metric is a high one, so that the
 *  bridge's own route to the same subnet, whichever came first, is taken. */
import { type Cidr, cidrFamily } from '../addr/cidr.ts'
import { isExists, isNotFound } from '../netlink/error.ts'
import { delRoute, dumpBlackholes, newRoute, type RouteSpec, sameDestination } from '../netlink/route.ts'
import type { Kernel } from './kernel.ts'
import type { Ns, Operations } from './plan.ts'

export interface BlackholeFact {
  readonly kind: 'blackhole'
  readonly ns: Ns
  readonly dst: Cidr
  /** RTPROT_*. */
  readonly protocol: number
  /** Metric; left out: 4096. */
  readonly priority?: number
}

const PRIORITY = 4096

/** The route it is, over no link. */
export const blackholeRoute = ({ dst, protocol, priority = PRIORITY }: BlackholeFact): RouteSpec => ({
  dst,
  protocol,
  priority,
  blackhole: true,
})

const render = ({ dst, protocol, priority = PRIORITY }: BlackholeFact): string =>
  `ip route add blackhole ${dst} proto ${protocol} metric ${priority}`

const held = ({ ns, dst, protocol }: BlackholeFact, kernel: Kernel): boolean =>
  dumpBlackholes(kernel.route(ns), cidrFamily(dst)).some(
    (found) => sameDestination(dst, found.dst) && found.protocol === protocol,
  )

const ensure = (fact: BlackholeFact, kernel: Kernel): boolean => {
  try {
    kernel.route(fact.ns).request(() => render(fact), newRoute(0, blackholeRoute(fact)))
    return true
  } catch (error) {
    if (isExists(error) && held(fact, kernel)) return false
    throw error
  }
}

const remove = (fact: BlackholeFact, kernel: Kernel): void => {
  try {
    kernel.route(fact.ns).request(() => render(fact).replace('add', 'del'), delRoute(0, blackholeRoute(fact)))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

export const blackholeOperations: Operations<BlackholeFact> = {
  render,
  ensure,
  remove,
  drift: (fact, kernel) => (held(fact, kernel) ? undefined : `route "${render(fact)}" is missing`),
}
