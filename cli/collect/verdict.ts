/** Which attachments are in use. Pure: everything is decided from what was read before. */
import type { Namespaces } from './namespaces.ts'
import type { Found } from './traces.ts'

/** Where the list of what is valid comes from: the runtime's result cache, or the namespaces that live. */
export type Source = 'cache' | 'netns'

/** `live`: in use. `new`: being attached just now. `unlisted`: in use, though the runtime's cache does not have it.
 *  `stale`: what is left of a pod that is gone. */
export type State = 'live' | 'new' | 'unlisted' | 'stale'

export interface Verdict {
  readonly found: Found
  readonly state: State
  /** In a few words. */
  readonly why: string
}

export interface Rules {
  readonly from: Source
  /** Milliseconds that a reservation alone counts as an attachment in the making. */
  readonly grace: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Why the attachment's namespace is known to live; undefined when nothing shows it. */
const signOfLife = (
  { cached, reservations, hasInterface }: Found,
  { lives, addresses }: Namespaces,
): string | undefined => {
  if (cached !== undefined && cached.netns === '') return 'the cache names no namespace to look at'
  if (cached !== undefined && lives(cached.netns)) return `${cached.netns} is there`
  if (hasInterface) return 'its interface on the node is there'
  const used = reservations.find(({ address }) => addresses.has(address))
  return used === undefined ? undefined : `${used.address} is in use in a namespace`
}

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`

const deathOf = ({ cached }: Found): string =>
  cached === undefined ? 'no namespace has it, and the cache does not list it' : `${cached.netns} is gone`

export const judge = (found: Found, namespaces: Namespaces, { from, grace, now }: Rules): Verdict => {
  const sign = signOfLife(found, namespaces)
  if (sign !== undefined) {
    const isListed = found.cached !== undefined || from === 'netns'
    return { found, state: isListed ? 'live' : 'unlisted', why: sign }
  }
  const age = now - Math.max(0, ...found.reservations.map(({ since }) => since))
  if (found.cached === undefined && age < grace)
    return { found, state: 'new', why: `its address was reserved ${seconds(age)} ago` }
  return { found, state: 'stale', why: deathOf(found) }
}

/** Whether the attachment stays. `force` believes the cache where living namespaces contradict it. */
export const isKept = ({ state }: Verdict, force: boolean): boolean =>
  state === 'live' || state === 'new' || (state === 'unlisted' && !force)
