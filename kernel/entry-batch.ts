/** Writes entries in batches: a message each, a hundred messages a send, an answer only for what is refused. */
import { CniError, ERR_KERNEL } from '../cni/error.ts'
import { EEXIST, EINVAL, isNotFound, NetlinkError } from '../netlink/error.ts'
import type { Refusal } from '../netlink/socket.ts'
import { type Batch, sendAll } from '../netlink/word-batch.ts'
import { makeWords } from '../netlink/words.ts'
import { type Contest, settleContests } from './contest.ts'
import { type EntryFact, encodeEntry, objectOfEntry, renderWrite, routeOf, type Write } from './entry.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Log } from './outcome.ts'
import type { Ns } from './plan.ts'

const devOf = (fact: EntryFact): string => (fact.kind === 'blackhole' ? '' : fact.dev)

/** Indexes of the links that `writes` are about; an error in place of one that is not there. */
const indexesOf = (ns: Ns, writes: readonly Write[], kernel: Kernel): ReadonlyMap<string, number | CniError> => {
  const indexes = new Map<string, number | CniError>([['', 0]])
  for (const { fact } of writes) {
    const dev = devOf(fact)
    if (indexes.has(dev)) continue
    try {
      indexes.set(dev, indexOf(ns, dev, kernel))
    } catch (error) {
      if (!(error instanceof CniError)) throw error
      indexes.set(dev, error)
    }
  }
  return indexes
}

/** One failure for a link that is not there, however much was to be on it. */
const reportMissing = (writes: readonly Write[], log: Log): void => {
  const lost = new Map<string, { readonly first: Write; more: number }>()
  for (const write of writes.filter(({ verb }) => verb !== 'remove')) {
    const known = lost.get(devOf(write.fact))
    if (known === undefined) lost.set(devOf(write.fact), { first: write, more: 0 })
    else known.more += 1
  }
  for (const [dev, { first, more }] of lost) {
    const rest = more === 0 ? '' : ` and ${more} more`
    log.failed(first.fact, new CniError(ERR_KERNEL, `the interface ${dev} is not there: ${renderWrite(first)}${rest}`))
  }
}

/** Writes all of one namespace, in order, going on past failures. */
const writeIn = (ns: Ns, all: readonly Write[], kernel: Kernel, log: Log): void => {
  const indexes = indexesOf(ns, all, kernel)
  const indexFor = ({ fact }: Write): number | CniError => indexes.get(devOf(fact)) ?? 0
  const writes = all.filter((write) => typeof indexFor(write) === 'number')
  if (writes.length < all.length)
    reportMissing(
      all.filter((write) => typeof indexFor(write) !== 'number'),
      log,
    )
  const words = makeWords()
  const encode = (batch: Batch, i: number): void => {
    const write = writes[i] as Write
    encodeEntry(batch, write.verb, write.fact, indexFor(write) as number, words)
  }
  const refused = new Map(sendAll(kernel.route(ns), writes.length, encode).map((r) => [r.index, r]))
  const contests: Contest[] = []
  for (const [i, write] of writes.entries()) {
    const refusal = refused.get(i)
    if (refusal === undefined) log.changed(() => renderWrite(write), write.why, objectOfEntry(write.fact))
    else if (isContested(write, refusal))
      contests.push({ write, route: routeOf(write.fact), index: indexFor(write) as number, refusal })
    else reportRefusal(write, refusal, log)
  }
  if (contests.length > 0) settleContests(ns, contests, kernel, log)
}

type RouteWrite = Write & { readonly fact: Exclude<EntryFact, { kind: 'neigh' }> }
const isContested = (write: Write, { errno }: Refusal): write is RouteWrite =>
  write.verb !== 'remove' && write.fact.kind !== 'neigh' && (errno === EEXIST || errno === EINVAL)

const reportRefusal = (write: Write, { errno, extack }: Refusal, log: Log): void => {
  const error = new NetlinkError(renderWrite(write), errno, extack)
  if (write.verb !== 'remove' || !isNotFound(error)) log.failed(write.fact, error)
}

/** Makes, replaces and removes entries, in order, in few sends; what is gone already was not changed. Never throws for what
 *  the kernel refuses of one of them. @throws NetlinkError when the socket fails */
export const writeEntries = (writes: readonly Write[], kernel: Kernel, log: Log): void => {
  for (const ns of ['node', 'pod'] as const) {
    const own = writes.filter(({ fact }) => fact.ns === ns)
    if (own.length > 0) writeIn(ns, own, kernel, log)
  }
}
