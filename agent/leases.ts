/** The leases as the store has them, believed or not. */
import type { Lease } from '../overlay/lease.ts'
import type { LeaseEvent } from './store/store.ts'

export interface Leases {
  readonly apply: (event: LeaseEvent) => void
  /** What an earlier agent knew, until the store says how it is. */
  readonly remember: (leases: readonly Lease[]) => void
  /** The store has told all of them. Before that nothing is removed for being absent. */
  readonly isKnown: () => boolean
  readonly lease: (key: string) => Lease | undefined
  readonly all: () => readonly Lease[]
  /** Reasons by key. */
  readonly invalid: ReadonlyMap<string, string>
}

export const openLeases = (): Leases => {
  const leases = new Map<string, Lease>()
  const invalid = new Map<string, string>()
  let isKnown = false
  const replace = (all: readonly Lease[], bad: ReadonlyMap<string, string>): void => {
    leases.clear()
    invalid.clear()
    for (const lease of all) leases.set(lease.key, lease)
    for (const [key, why] of bad) invalid.set(key, why)
  }
  const apply = (event: LeaseEvent): void => {
    if (event.kind === 'all') {
      replace(event.leases, event.invalid)
      isKnown = true
      return
    }
    const key = event.kind === 'set' ? event.lease.key : event.key
    leases.delete(key)
    invalid.delete(key)
    if (event.kind === 'set') leases.set(key, event.lease)
    if (event.kind === 'invalid') invalid.set(key, event.why)
  }
  return {
    apply,
    remember: (known) => replace(known, new Map()),
    isKnown: () => isKnown,
    lease: (key) => leases.get(key),
    all: () => [...leases.values()],
    invalid,
  }
}
