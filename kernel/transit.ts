/** From one plan to the next, by their difference. */
import { type EntryFact, isEntry, renderRemoval, type Write } from './entry.ts'
import { writeEntries } from './entry-batch.ts'
import { identityOf, isSame } from './identity.ts'
import type { Kernel } from './kernel.ts'
import { leftBy } from './leaving.ts'
import { operationsOf } from './operations.ts'
import { type Log, type Outcome, openLog } from './outcome.ts'
import type { Fact, Plan } from './plan.ts'
import { isPeer, type PeerSet, writePeers } from './wireguard-batch.ts'

/** A fact that comes, with the one of its identity that it takes the place of. */
interface Step {
  readonly fact: Fact
  readonly before: Fact | undefined
}

const removeFact = (fact: Fact, kernel: Kernel, log: Log): void => {
  const operations = operationsOf(fact)
  try {
    operations.remove(fact, kernel)
    log.changed(() => renderRemoval(fact), 'gone')
  } catch (error) {
    log.failed(fact, error)
  }
}

/** Returns whether it was created. What the former value had besides is taken away once this one holds. */
const makeFact = ({ fact, before }: Step, kernel: Kernel, log: Log): boolean => {
  const operations = operationsOf(fact)
  try {
    const created = operations.ensure(fact, kernel)
    const left = before && leftBy(before, fact)
    if (left !== undefined) operationsOf(left).remove(left, kernel)
    log.changed(() => operations.render(fact), before === undefined ? 'new' : 'different')
    return created
  } catch (error) {
    log.failed(fact, error)
    return false
  }
}

/** Entries that follow one another are written together, everything else in its turn. */
const inTurn = <T extends { readonly fact: Fact }>(
  steps: readonly T[],
  writeOf: (step: T, fact: EntryFact) => Write | undefined,
  each: (step: T) => void,
  kernel: Kernel,
  log: Log,
): void => {
  let writes: Write[] = []
  const flush = (): void => {
    if (writes.length > 0) writeEntries(writes, kernel, log)
    writes = []
  }
  for (const step of steps) {
    if (!isEntry(step.fact)) {
      flush()
      each(step)
      continue
    }
    const write = writeOf(step, step.fact)
    if (write !== undefined) writes.push(write)
  }
  flush()
}

const removeAll = (facts: readonly Fact[], kernel: Kernel, log: Log): void =>
  inTurn(
    facts.map((fact) => ({ fact })),
    (_, fact) => ({ verb: 'remove', fact, why: 'gone' }),
    ({ fact }) => removeFact(fact, kernel, log),
    kernel,
    log,
  )

/** A link that was made anew has nothing on it: from there on everything is made, changed or not. Returns whether one was. */
const makeAll = (steps: readonly Step[], kernel: Kernel, log: Log): boolean => {
  let anew = false
  const holds = ({ fact, before }: Step): boolean => !anew && before !== undefined && isSame(before, fact)
  inTurn(
    steps,
    (step, fact) => (holds(step) ? undefined : { verb: 'add', fact, why: step.before ? 'different' : 'new' }),
    (step) => {
      if (!holds(step) && makeFact(step, kernel, log) && step.fact.kind === 'link') anew = true
    },
    kernel,
    log,
  )
  return anew
}

const setOf = ({ fact, before }: Step, anew: boolean): PeerSet[] => {
  if (!isPeer(fact)) return []
  const was = anew || before === undefined || !isPeer(before) ? undefined : before
  return was !== undefined && isSame(was, fact) ? [] : [{ fact, before: was, why: was ? 'different' : 'new' }]
}

/** From one plan to the next, without looking at what the kernel holds: what `before` has and `after` does not is removed,
 *  last first; then what is new or has changed is made, in order, an entry in place of its former value; then addresses and
 *  peers of WireGuard that go. The cost is that of the two plans: hand over the parts that change, all of them at once, so
 *  that what moves from one part to another is replaced. A route that changes is looked at first (all routes are read, once
 *  for all that change): somebody else's may be there, and stays.
 *  @throws NetlinkError when the socket fails */
export const transit = (before: Plan, after: Plan, kernel: Kernel): Outcome => {
  const log = openLog()
  kernel.indexes.clear()
  const old = new Map(before.map((fact) => [identityOf(fact), fact]))
  const steps = after.map((fact) => ({ fact, identity: identityOf(fact) }))
  const wanted = new Set(steps.map(({ identity }) => identity))
  const leaving = [...old].filter(([identity]) => !wanted.has(identity)).map(([, fact]) => fact)
  const { first, peers, last } = sorted(leaving.toReversed())
  removeAll(first, kernel, log)
  const all = steps.map(({ fact, identity }) => ({ fact, before: old.get(identity) }))
  const others = all.filter(({ fact }) => !isPeer(fact))
  const anew = makeAll(others, kernel, log)
  const sets = all.flatMap((step) => setOf(step, anew))
  const removals = peers.map((fact) => ({ fact, why: 'gone' }) as const)
  writePeers(sets, removals, kernel, log)
  removeAll(last, kernel, log)
  return log.outcome
}

/** Of facts that go, those that may go before others come. A link that loses its last IPv4 address loses its routes and
 *  neighbours with it. */
const sorted = (leaving: readonly Fact[]) => ({
  first: leaving.filter((fact) => !isPeer(fact) && fact.kind !== 'addr'),
  peers: leaving.filter(isPeer),
  last: leaving.filter((fact) => fact.kind === 'addr'),
})
