/** What a pass over the kernel did and what it could not do. */
import type { Fact } from './plan.ts'

export type Reason = 'missing' | 'different' | 'stale' | 'new' | 'gone'

export interface Change {
  /** The command that states it: `ip route add`, `ip neigh del` ... Put into words when it is read. */
  readonly what: string
  /** Found by a resync: `missing`, `different`, `stale`. Asked for by a transit: `new`, `different`, `gone`. */
  readonly why: Reason
}

export interface Failure {
  readonly fact: Fact
  readonly error: unknown
}

/** In the order in which it was done. */
export interface Outcome {
  readonly changes: readonly Change[]
  readonly failures: readonly Failure[]
}

/** An outcome that is being made. */
export interface Log {
  readonly changed: (what: () => string, why: Reason) => void
  readonly failed: (fact: Fact, error: unknown) => void
  readonly outcome: Outcome
}

export const openLog = (): Log => {
  const changes: Change[] = []
  const failures: Failure[] = []
  return {
    changed: (what, why) => {
      changes.push({
        get what() {
          return what()
        },
        why,
      })
    },
    failed: (fact, error) => {
      failures.push({ fact, error })
    },
    outcome: { changes, failures },
  }
}
