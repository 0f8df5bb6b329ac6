/** Follows the leases in the store. */
import type { Retry } from './retry.ts'
import { type LeaseEvent, type LeaseStore, StoreError } from './store/store.ts'

export interface WatchTask {
  readonly store: LeaseStore
  readonly retry: Retry
  readonly onEvent: (event: LeaseEvent) => void
  /** Whether events come. */
  readonly onWatching: (isWatching: boolean) => void
  /** Resolves when this node has a lease: without one the others are of no use, and the first node makes the place that
   *  leases are kept in. */
  readonly begin: Promise<void>
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

/** Until `signal` aborts. @throws what `retry` throws */
export const followLeases = async (
  { store, retry, onEvent, onWatching, begin }: WatchTask,
  signal: AbortSignal,
): Promise<void> => {
  const listener = (event: LeaseEvent): void => {
    if (signal.aborted) return
    if (event.kind === 'all') {
      retry.worked()
      onWatching(true)
    }
    onEvent(event)
  }
  await Promise.race([begin, aborted(signal)])
  while (!signal.aborted) {
    try {
      await store.watch(listener, signal)
      if (!signal.aborted) throw new StoreError('the watch of the leases ended')
    } catch (error) {
      onWatching(false)
      await retry.failed(error, signal)
    }
  }
}
