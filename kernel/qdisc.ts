/** Fact: a link shapes what leaves it by a token bucket, or has the hook where filters see what enters it. */
import { readFileSync } from 'node:fs'
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import { isExists, isNotFound } from '../netlink/error.ts'
import { getLink } from '../netlink/link.ts'
import type { Message } from '../netlink/message.ts'
import { isBufferOf, type Tbf, ticksPerUsecOf } from '../netlink/tbf.ts'
import { delQdisc, getQdisc, newIngress, newTbf, type Qdisc } from '../netlink/tc.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface QdiscFact {
  readonly kind: 'qdisc'
  readonly ns: Ns
  readonly dev: string
  readonly discipline: ({ readonly kind: 'tbf' } & Tbf) | { readonly kind: 'ingress' }
}

let ticks: number | undefined
/** Ticks of the packet scheduler in a microsecond. */
const ticksPerUsec = (): number => {
  ticks ??= ticksPerUsecOf(readFileSync('/proc/net/psched', 'utf8'))
  return ticks
}

const parentOf = (fact: QdiscFact): 'root' | 'ingress' => (fact.discipline.kind === 'tbf' ? 'root' : 'ingress')

const render = ({ dev, discipline }: QdiscFact): string => {
  if (discipline.kind === 'ingress') return `tc qdisc add dev ${dev} ingress`
  const { rate, burst, limit } = discipline
  return `tc qdisc add dev ${dev} root handle 1: tbf rate ${rate}bps burst ${burst}b limit ${limit}b`
}

const messageOf = ({ discipline }: QdiscFact, link: number): Message =>
  discipline.kind === 'ingress' ? newIngress(link) : newTbf(link, discipline, ticksPerUsec())

const taken = (fact: QdiscFact, cause: unknown): CniError =>
  new CniError(
    ERR_CONFLICT,
    `the interface ${fact.dev} has a queueing discipline already (${parentOf(fact)})`,
    `another plugin or tool shapes it: take it out of the network's plugins, or run: tc qdisc del dev ${fact.dev} ${parentOf(fact)}`,
    { cause },
  )

const ensure = (fact: QdiscFact, kernel: Kernel): boolean => {
  const link = indexOf(fact.ns, fact.dev, kernel)
  try {
    kernel.route(fact.ns).request(() => render(fact), messageOf(fact, link))
  } catch (error) {
    throw isExists(error) ? taken(fact, error) : error
  }
  return true
}

const remove = (fact: QdiscFact, kernel: Kernel): void => {
  const socket = kernel.route(fact.ns)
  const link = getLink(socket, fact.dev)
  if (link === undefined) return
  if (getQdisc(socket, link.index, parentOf(fact))?.kind !== fact.discipline.kind) return
  try {
    socket.request(`tc qdisc del dev ${fact.dev} ${parentOf(fact)}`, delQdisc(link.index, parentOf(fact)))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const tbfDrift = (dev: string, want: Tbf, { tbf }: Qdisc): string | undefined => {
  if (tbf === undefined) return undefined
  for (const key of ['rate', 'limit'] as const)
    if (tbf[key] !== want[key]) return `the tbf of ${dev} has ${key} ${tbf[key]} bytes, not ${want[key]}`
  return isBufferOf(want, tbf.buffer, ticksPerUsec())
    ? undefined
    : `the tbf of ${dev} has another burst than ${want.burst} bytes`
}

const drift = (fact: QdiscFact, kernel: Kernel): string | undefined => {
  const { dev, discipline } = fact
  const link = getLink(kernel.route(fact.ns), dev)
  if (link === undefined) return `interface ${dev} is missing`
  const found = getQdisc(kernel.route(fact.ns), link.index, parentOf(fact))
  if (found?.kind !== discipline.kind) return `the ${discipline.kind} queueing discipline of ${dev} is missing`
  return discipline.kind === 'tbf' ? tbfDrift(dev, discipline, found) : undefined
}

export const qdiscOperations: Operations<QdiscFact> = { render, ensure, remove, drift }
