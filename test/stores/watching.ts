/** A watch of a store whose events a test waits for. */
import { expect, vi } from 'vitest'
import type { LeaseEvent, LeaseStore } from '../../agent/store/store.ts'

/** An event in a few words: `set 10.5.1.0-24 192.0.2.1`. */
const wordsOf = (event: LeaseEvent): string => {
  switch (event.kind) {
    case 'all':
      return ['all', ...event.leases.map(({ key }) => key), ...[...event.invalid.keys()].map((key) => `!${key}`)].join(
        ' ',
      )
    case 'set':
      return `set ${event.lease.key} ${event.lease.publicIP}`
    default:
      return `${event.kind} ${event.key}`
  }
}

export interface Watching {
  readonly events: readonly LeaseEvent[]
  readonly words: () => readonly string[]
  /** Waits until exactly this has been told since the beginning. */
  readonly told: (...words: readonly string[]) => Promise<void>
  readonly end: Promise<void>
  readonly stop: () => Promise<void>
}

export const watchStore = (store: LeaseStore): Watching => {
  const ended = new AbortController()
  const events: LeaseEvent[] = []
  const end = store.watch((event) => events.push(event), ended.signal)
  end.catch(() => undefined)
  const words = (): readonly string[] => events.map(wordsOf)
  return {
    events,
    words,
    told: (...wanted) => vi.waitFor(() => expect(words()).toEqual(wanted), { timeout: 20_000, interval: 10 }),
    end,
    stop: () => {
      ended.abort()
      return end
    },
  }
}
