/** Says once of each lease that it is not believed; of a flood of them, how many there are. */
import type { Log } from './log.ts'

export interface Refusals {
  /** `keys`: what may be otherwise than at the last call; of all leases when left out. */
  readonly tell: (rejected: ReadonlyMap<string, string>, keys?: readonly string[]) => void
}

/** In one call. `podwire node status` has them all. */
const NAMED = 20

export const openRefusals = (log: Pick<Log, 'warn'>): Refusals => {
  const said = new Map<string, string>()
  const tell: Refusals['tell'] = (rejected, keys = [...new Set([...said.keys(), ...rejected.keys()])]) => {
    const news: (readonly [string, string])[] = []
    for (const key of keys) {
      const why = rejected.get(key)
      if (why !== undefined && said.get(key) !== why) news.push([key, why])
      if (why === undefined) said.delete(key)
      else said.set(key, why)
    }
    for (const [key, why] of news.slice(0, NAMED))
      log.warn({ key, why }, 'a lease in the store is not believed and not programmed')
    if (news.length > NAMED) log.warn({ count: news.length - NAMED }, 'so many more leases are not believed')
  }
  return { tell }
}
