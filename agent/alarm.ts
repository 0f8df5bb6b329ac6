/** Waiting that can be cut short: by the time, by a ring, by the end of everything. */

export interface Alarm {
  /** Resolves after `ms` (undefined: never by itself), at the next `ring`, or when `signal` aborts; at once when it has been
   *  rung since the last wait. */
  readonly wait: (ms: number | undefined, signal: AbortSignal) => Promise<void>
  readonly ring: () => void
}

/** setTimeout's most: what is longer would fire at once. */
const LONGEST = 2 ** 31 - 1

export const openAlarm = (): Alarm => {
  let isRung = false
  let wake: () => void = () => undefined
  const wait = (ms: number | undefined, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => wake(), Math.min(Math.max(ms, 0), LONGEST))
      wake = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        wake = () => undefined
        isRung = false
        resolve()
      }
      signal.addEventListener('abort', wake)
      if (isRung || signal.aborted) wake()
    })
  return {
    wait,
    ring: () => {
      isRung = true
      wake()
    },
  }
}
