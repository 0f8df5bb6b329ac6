/** A store that is being watched, and what it has reported. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseEvent, LeaseStore } from '../../agent/store/store.ts'

export interface Watching {
  readonly events: readonly LeaseEvent[]
  /** As `gone n1`, `set n1`, `invalid n1`, `all n1 n2`. */
  readonly heard: () => readonly string[]
  /** Resolves when so much was heard. @throws Error after 20 s, and when the watch ends before */
  readonly until: (...heard: readonly string[]) => Promise<void>
  /** Undefined while it goes on; then what it rejected with, or 'resolved'. */
  readonly outcome: () => unknown
  /** Resolves when it has ended. */
  readonly stop: () => Promise<void>
}

const PATIENCE = 20_000

/** Resolves when `condition` holds. @throws Error after 20 s */
export const eventually = async (condition: () => boolean, what: string): Promise<void> => {
  for (const end = Date.now() + PATIENCE; !condition(); await sleep(5))
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE / 1000} s`)
}

const shown = (event: LeaseEvent): string => {
  if (event.kind === 'set') return `set ${event.lease.key}`
  if (event.kind !== 'all') return `${event.kind} ${event.key}`
  const invalid = [...event.invalid.keys()].map((key) => `(${key})`)
  return ['all', ...event.leases.map(({ key }) => key), ...invalid].join(' ')
}

export const startWatching = (store: LeaseStore): Watching => {
  const [events, abort]: [LeaseEvent[], AbortController] = [[], new AbortController()]
  let outcome: unknown
  const ended = store
    .watch((event) => events.push(event), abort.signal)
    .then(() => 'resolved')
    .catch((error: unknown) => error)
    .then((how) => {
      outcome = how
    })
  const heard = (): readonly string[] => events.map(shown)
  const isHeard = (wanted: readonly string[]): boolean => {
    if (outcome !== undefined && outcome !== 'resolved') throw outcome
    return JSON.stringify(heard().slice(-wanted.length)) === JSON.stringify(wanted)
  }
  return {
    events,
    heard,
    until: async (...wanted) => {
      try {
        await eventually(() => isHeard(wanted), wanted.join(', '))
      } catch (error) {
        throw new Error(`heard ${heard().join(', ')}, and not ${wanted.join(', ')}`, { cause: error })
      }
    },
    outcome: () => outcome,
    stop: async () => {
      abort.abort()
      await ended
    },
  }
}
