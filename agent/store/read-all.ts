/** A store looked at once. */
import type { LeaseEvent, LeaseStore } from './store.ts'

export type AllLeases = Extract<LeaseEvent, { kind: 'all' }>

/** All that there is now. @throws StoreError; the signal's reason when it aborts before the answer */
export const readAll = async (store: LeaseStore, signal: AbortSignal): Promise<AllLeases> => {
  const stop = new AbortController()
  try {
    return await new Promise<AllLeases>((resolve, reject) => {
      const listener = (event: LeaseEvent): void => {
        if (event.kind === 'all') resolve(event)
      }
      store.watch(listener, AbortSignal.any([stop.signal, signal])).then(() => reject(signal.reason), reject)
    })
  } finally {
    stop.abort()
  }
}
