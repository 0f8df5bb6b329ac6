/** When a pass over the whole kernel may run: soon after its cause, so that one pass mends what came together; less often
 *  under a storm of causes, so that an agent in dispute with another program, or with many peers, does not eat a core. */

export interface Pace {
  /** The time at which a pass that is asked for at `now` may run. Both in ms, of any clock. */
  readonly due: (now: number) => number
  /** A pass has run until `now` and took `ms`. */
  readonly ran: (now: number, ms: number) => void
}

/** Causes are gathered for this long. */
const GATHER_MS = 30
/** So many passes may follow each other. Then one is added each second, or in twenty times what the last one took. */
const BURST = 10
const REFILL_MS = 1000
const REFILL_SHARE = 20

export const openPace = (): Pace => {
  let [left, counted, refill] = [BURST, 0, REFILL_MS]
  const leftAt = (now: number): number => Math.min(BURST, left + (now - counted) / refill)
  return {
    due: (now) => Math.max(now + GATHER_MS, now + (1 - leftAt(now)) * refill),
    ran: (now, ms) => {
      left = Math.max(0, leftAt(now) - 1)
      counted = now
      refill = Math.max(REFILL_MS, ms * REFILL_SHARE)
    },
  }
}
