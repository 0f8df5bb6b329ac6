/** Brings the kernel to a plan: by what differs from the last one (`transit`), or by what differs from a dump (`resync`). */
import type { Cidr } from '../addr/cidr.ts'
import { identityOf } from './identity.ts'
import type { Kernel } from './kernel.ts'
import { operationsOf } from './operations.ts'
import type { Fact, Plan } from './plan.ts'

/** Which of the kernel's entries are ours, so that those the plan does not have are removed. */
export interface Scope {
  /** Links that exist for the overlay alone: one that the plan does not have is removed, and what is on them is its own,
   *  but for what others visibly put there. */
  readonly devices: readonly string[]
  /** Links that only carry its routes (host-gw, DirectRouting): of them, routes with its protocol into `networks`. */
  readonly carriers: readonly string[]
  readonly networks: readonly Cidr[]
}

export interface Change {
  /** The command that states it, or `ip route del` and the like. */
  readonly what: string
  /** Found by a resync: `missing`, `different`, `stale`. Asked for by a transit: `new`, `different`, `gone`. */
  readonly why: 'missing' | 'different' | 'stale' | 'new' | 'gone'
}

export interface Failure {
  readonly fact: Fact
  readonly error: unknown
}

/** What was done, in order, and what could not be. */
export interface Outcome {
  readonly changes: readonly Change[]
  readonly failures: readonly Failure[]
}

const attempt = (run: () => void, fact: Fact, failures: Failure[]): boolean => {
  try {
    run()
    return true
  } catch (error) {
    failures.push({ fact, error })
    return false
  }
}

/** From one plan to the next, without looking at what the kernel holds: what `before` has and `after` does not is removed,
 *  last first; then what `after` has and `before` does not is made, in order. The cost is that of the two plans given: hand
 *  over only the parts that changed, all of them in one call. Never throws. */
export const transit = (before: Plan, after: Plan, kernel: Kernel): Outcome => {
  const old = new Map(before.map((fact) => [identityOf(fact), fact]))
  const wanted = new Set(after.map(identityOf))
  const changes: Change[] = []
  const failures: Failure[] = []
  for (const fact of before.toReversed())
    if (!wanted.has(identityOf(fact)) && attempt(() => operationsOf(fact).remove(fact, kernel), fact, failures))
      changes.push({ what: operationsOf(fact).render(fact), why: 'gone' })
  for (const fact of after)
    if (!old.has(identityOf(fact)) && attempt(() => operationsOf(fact).ensure(fact, kernel), fact, failures))
      changes.push({ what: operationsOf(fact).render(fact), why: 'new' })
  return { changes, failures }
}

/** From whatever the kernel holds to the plan: what is missing or different is mended, what is ours by `scope` and not in
 *  the plan is removed. Safe to be broken off anywhere and begun again. Never throws. */
export const resync = (plan: Plan, _scope: Scope, kernel: Kernel): Outcome => {
  const changes: Change[] = []
  const failures: Failure[] = []
  for (const fact of plan)
    attempt(
      () => {
        if (operationsOf(fact).drift(fact, kernel) === undefined) return
        operationsOf(fact).ensure(fact, kernel)
        changes.push({ what: operationsOf(fact).render(fact), why: 'missing' })
      },
      fact,
      failures,
    )
  return { changes, failures }
}
