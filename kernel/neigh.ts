/** Fact: a permanent neighbour or forwarding entry. */
import { familyOf } from '../addr/ip.ts'
import { isNotFound } from '../netlink/error.ts'
import { getLink } from '../netlink/link.ts'
import { delNeigh, dumpNeighs, type Neigh, newNeigh } from '../netlink/neigh.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface NeighFact extends Neigh {
  readonly kind: 'neigh'
  readonly ns: Ns
  readonly dev: string
}

const render = (fact: NeighFact): string =>
  fact.table === 'fdb'
    ? `bridge fdb replace ${fact.lladdr} dev ${fact.dev} dst ${fact.ip} self permanent${fact.protocol === undefined ? '' : ' extern_learn'}`
    : `ip neigh replace ${fact.ip} lladdr ${fact.lladdr} dev ${fact.dev} nud permanent${fact.protocol === undefined ? '' : ` protocol ${fact.protocol}`}`

const held = (fact: NeighFact, kernel: Kernel): boolean => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  return dumpNeighs(kernel.route(fact.ns), fact.table, familyOf(fact.ip)).some(
    (found) =>
      found.index === link?.index &&
      found.ip === fact.ip &&
      found.lladdr === fact.lladdr &&
      found.permanent &&
      (fact.table === 'fdb' || fact.protocol === undefined || found.protocol === fact.protocol),
  )
}

const remove = (fact: NeighFact, kernel: Kernel): void => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  if (link === undefined) return
  try {
    kernel.route(fact.ns).request(() => render(fact).replace('replace', 'del'), delNeigh(link.index, fact))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

export const neighOperations: Operations<NeighFact> = {
  render,
  ensure: (fact, kernel) => {
    if (held(fact, kernel)) return false
    kernel.route(fact.ns).request(() => render(fact), newNeigh(indexOf(fact.ns, fact.dev, kernel), fact))
    return true
  },
  remove,
  drift: (fact, kernel) => (held(fact, kernel) ? undefined : `entry "${render(fact)}" is missing`),
}
