/** What a pass over the kernel did and what it could not do. */
import type { Fact } from './plan.ts'

export type Reason = 'missing' | 'different' | 'stale' | 'new' | 'gone'

export interface Change {
  /** The command that states it: `ip route add`, `ip neigh del` ... Put into words when it is read. */
  readonly what: string
  /** What the command is about: `ip route`, `bridge fdb`, `nft`. */
  readonly object: string
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
  /** `object` is found in the words when it is left out, which are put for that. */
  readonly changed: (what: () => string, why: Reason, object?: string) => void
  readonly failed: (fact: Fact, error: unknown) => void
  readonly outcome: Outcome
}

/** `ip route`, `bridge fdb`, `nft`: what a command is about. */
export const objectOf = (command: string): string => {
  const [program = '', object = ''] = command.split(' ', 2)
  return program === 'ip' || program === 'bridge' ? `${program} ${object}` : program
}

const changeOf = (what: () => string, why: Reason, object: string): Change => ({
  get what() {
    return what()
  },
  object,
  why,
})

export const openLog = (): Log => {
  const changes: Change[] = []
  const failures: Failure[] = []
  return {
    changed: (what, why, object = objectOf(what())) => {
      changes.push(changeOf(what, why, object))
    },
    failed: (fact, error) => {
      failures.push({ fact, error })
    },
    outcome: { changes, failures },
  }
}
