/** When a pass over the whole kernel may run: soon after its cause, so that one pass mends what came together; less often
 *  under a storm of causes, so that an agent in dispute with another program, or with many peers, does not eat a core. */

export interface Pace {
  /** The time at which a pass that is asked for at `now` may run. Both in ms, of any clock. */
  readonly due: (now: number) => number
  /** A pass has run until `now` and took `ms`. */
  readonly ran: (now: number, ms: number) => void
}

/** Causes are gathered for this long. */
const GATHER_MS = 50
/** So many passes may follow each other; then one is added each second. */
const BURST = 10
const REFILL_MS = 1000
/** At most a twentieth of the time is spent in passes. */
const REST = 20

export const openPace = (): Pace => {
  let [left, counted, rested] = [BURST, 0, Number.NEGATIVE_INFINITY]
  const leftAt = (now: number): number => Math.min(BURST, left + (now - counted) / REFILL_MS)
  return {
    due: (now) => Math.max(now + GATHER_MS, rested, now + (1 - leftAt(now)) * REFILL_MS),
    ran: (now, ms) => {
      left = Math.max(0, leftAt(now) - 1)
      counted = now
      rested = now + ms * REST
    },
  }
}
