/** How long to wait before something that failed is tried again: twice as long each time, with jitter, so that many nodes
 *  whose store came back do not ask it at once. */

export interface Backoff {
  /** Milliseconds until the next try. */
  readonly next: () => number
  /** It worked: the next failure starts from the least again. */
  readonly reset: () => void
}

/** Waits between half and the whole of `least`, 2 `least`, 4 `least` ... `most`, in ms. `random` as Math.random. */
export const openBackoff = (least = 1000, most = 30_000, random: () => number = Math.random): Backoff => {
  let limit = least
  return {
    next: () => {
      const wait = limit * (0.5 + random() / 2)
      limit = Math.min(limit * 2, most)
      return Math.round(wait)
    },
    reset: () => {
      limit = least
    },
  }
}
