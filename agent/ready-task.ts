/** Tells the store, once, that the overlay works on this node. */
import type { Alarm } from './alarm.ts'
import type { Retry } from './retry.ts'
import type { LeaseStore } from './store/store.ts'

export interface ReadyTask {
  readonly store: LeaseStore
  readonly retry: Retry
  /** Rung when it may have become ready. */
  readonly alarm: Alarm
  readonly isReady: () => boolean
}

/** Resolves when it is told, or `signal` aborts. @throws what `retry` throws */
export const announceReady = async (
  { store, retry, alarm, isReady }: ReadyTask,
  signal: AbortSignal,
): Promise<void> => {
  if (store.reportReady === undefined) return
  while (!isReady() && !signal.aborted) await alarm.wait(undefined, signal)
  while (!signal.aborted)
    try {
      await store.reportReady(signal)
      retry.worked()
      return
    } catch (error) {
      await retry.failed(error, signal)
    }
}
