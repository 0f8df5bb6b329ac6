/** Passes over the kernel, with what is to be known of them: what was changed, what was found other than planned, what the
 *  kernel refuses. */
import { identityOf } from '../kernel/identity.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { operationsOf } from '../kernel/operations.ts'
import type { Fact, Plan } from '../kernel/plan.ts'
import { type Change, type Failure, type Outcome, objectOf, resync, type Scope, transit } from '../kernel/reconcile.ts'
import { type Log, wordsOf } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { AgentStatus, DriftStatus, FailureStatus, PassStatus } from './status.ts'

export interface Reconciler {
  /** From one plan to the next; hand over only the parts that differ. */
  readonly transit: (before: Plan, after: Plan) => Outcome
  /** The whole plan against the whole kernel. With `isRepair` what differs is drift: it held before. */
  readonly resync: (plan: Plan, scope: Scope, isRepair: boolean) => Outcome
  /** What the kernel refuses at present. */
  readonly failures: () => readonly Failure[]
  readonly status: () => Pick<AgentStatus, 'failures' | 'drift' | 'passes'>
}

const DRIFT_KEPT = 50
const NAMED_IN_LOG = 5

/** How many changes of each object and reason there are: one step of a counter for thousands. */
const countsOf = (changes: readonly Change[]): ReadonlyMap<string, { readonly change: Change; count: number }> => {
  const counts = new Map<string, { readonly change: Change; count: number }>()
  for (const change of changes) {
    const key = `${change.object} ${change.why}`
    const known = counts.get(key)
    if (known === undefined) counts.set(key, { change, count: 1 })
    else known.count += 1
  }
  return counts
}

const renderFact = (fact: Fact): string => operationsOf(fact).render(fact).split('\n')[0] ?? ''

export const openReconciler = (kernel: Kernel, log: Log, metrics: Metrics): Reconciler => {
  const failures = new Map<string, Failure>()
  const drift: DriftStatus[] = []
  let [mended, first, last, lastResync]: [number, PassStatus?, PassStatus?, string?] = [0]

  const timed = (kind: PassStatus['kind'], run: () => Outcome): Outcome => {
    kernel.indexes.clear() // a link may have been made anew by others
    const started = performance.now()
    const outcome = run()
    const ms = performance.now() - started
    metrics.passed(kind, ms / 1000)
    last = { at: new Date().toISOString(), kind, ms, changes: outcome.changes.length }
    if (kind === 'resync') {
      first ??= last
      lastResync = last.at
    }
    for (const { change, count } of countsOf(outcome.changes).values()) metrics.operated(change.object, 'done', count)
    for (const { fact } of outcome.failures) metrics.operated(objectOf(renderFact(fact)), 'refused', 1)
    return outcome
  }

  const noteFailure = (failure: Failure): void => {
    const identity = identityOf(failure.fact)
    const known = failures.get(identity)
    failures.set(identity, failure)
    if (known !== undefined && wordsOf(known.error) === wordsOf(failure.error)) return
    log.warn(
      { fact: renderFact(failure.fact), error: wordsOf(failure.error) },
      'the kernel refuses a part of the plan; it is tried again',
    )
  }

  const noteDrift = (changes: readonly Change[], ms: number): void => {
    if (changes.length === 0) return
    const at = new Date().toISOString()
    mended += changes.length
    for (const { change, count } of countsOf(changes).values()) metrics.mended(change.object, change.why, count)
    const statusOf = ({ what, why }: Change): DriftStatus => ({ at, what, why: why as DriftStatus['why'], ms })
    drift.push(...changes.slice(-DRIFT_KEPT).map(statusOf))
    drift.splice(0, drift.length - DRIFT_KEPT)
    const some = changes.slice(0, NAMED_IN_LOG).map(({ what, why }) => `${why}: ${what}`)
    log.warn({ count: changes.length, some }, 'the kernel was not as planned, and is again')
  }

  return {
    transit: (before, after) => {
      const outcome = timed('transit', () => transit(before, after, kernel))
      for (const fact of [...before, ...after]) failures.delete(identityOf(fact))
      outcome.failures.forEach(noteFailure)
      return outcome
    },
    resync: (plan, scope, isRepair) => {
      const outcome = timed('resync', () => resync(plan, scope, kernel))
      const refused = new Set(outcome.failures.map(({ fact }) => identityOf(fact)))
      for (const identity of failures.keys()) if (!refused.has(identity)) failures.delete(identity)
      outcome.failures.forEach(noteFailure)
      if (isRepair) noteDrift(outcome.changes, last?.ms ?? 0)
      return outcome
    },
    failures: () => [...failures.values()],
    status: () => ({
      failures: [...failures.values()].map(
        ({ fact, error }): FailureStatus => ({ what: renderFact(fact), error: wordsOf(error) }),
      ),
      drift,
      passes: {
        ...(first === undefined ? {} : { first }),
        ...(last === undefined ? {} : { last }),
        ...(lastResync === undefined ? {} : { lastResync }),
        mended,
      },
    }),
  }
}
