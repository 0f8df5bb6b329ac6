/** Fact: whatever enters a link goes out of another one instead, where a queueing discipline can hold it back. The link has
 *  an `ingress` qdisc, with which the filter goes. */
import { getLink } from '../netlink/link.ts'
import { getRedirects, newRedirect } from '../netlink/tc.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface FilterFact {
  readonly kind: 'filter'
  readonly ns: Ns
  readonly dev: string
  /** Name of the link that packets are redirected to. */
  readonly redirect: string
}

const render = ({ dev, redirect }: FilterFact): string =>
  `tc filter add dev ${dev} parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ${redirect}`

const ensure = (fact: FilterFact, kernel: Kernel): boolean => {
  const link = indexOf(fact.ns, fact.dev, kernel)
  kernel.route(fact.ns).request(() => render(fact), newRedirect(link, indexOf(fact.ns, fact.redirect, kernel)))
  return false // the ingress qdisc takes it along when it is removed
}

const drift = (fact: FilterFact, kernel: Kernel): string | undefined => {
  const socket = kernel.route(fact.ns)
  const link = getLink(socket, fact.dev)
  const target = getLink(socket, fact.redirect)
  if (link === undefined || target === undefined) return `interface ${link ? fact.redirect : fact.dev} is missing`
  const [first] = getRedirects(socket, link.index)
  return first?.to === target.index ? undefined : `${fact.dev} does not redirect what enters it to ${fact.redirect}`
}

export const filterOperations: Operations<FilterFact> = { render, ensure, remove: () => undefined, drift }
