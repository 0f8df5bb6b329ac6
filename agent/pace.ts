/** When a pass over the whole kernel may run: soon after its cause, so that one pass mends what came together; less often
 *  under a storm of causes, so that an agent in dispute with another program does not eat a core. */

export interface Pace {
  /** The time at which a pass that is asked for at `now` may run. Both in ms, of any clock. */
  readonly due: (now: number) => number
  /** A pass has run. */
  readonly ran: (now: number) => void
}

/** Gathers causes for `gather` ms. A pass within four gaps of the one before doubles the gap, up to `most` ms. */
export const openPace = (gather = 50, most = 10_000): Pace => {
  let gap = gather
  let last = Number.NEGATIVE_INFINITY
  return {
    due: (now) => Math.max(now + gather, last + gap),
    ran: (now) => {
      gap = now - last > 4 * gap ? gather : Math.min(gap * 2, most)
      last = now
    },
  }
}
