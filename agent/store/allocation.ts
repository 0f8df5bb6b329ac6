/** A node's lease in a store that is asked over the network: what `overlay/allocation.ts` chooses is written if nobody else
 *  has written since, else all begins again. */
import { choose, type Held, type Holdings, lostRaces, RACE_RETRIES } from '../../overlay/allocation.ts'
import type { Claim, OwnLease } from '../../overlay/claim.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { NetConf } from '../../overlay/net-conf.ts'

/** Leases in a store; `H` says which state of a lease was read. What is written is so only if that state still holds. */
export interface LeaseTable<H extends Held> {
  readonly list: () => Promise<Holdings<H>>
  /** Undefined when the subnet is another's by now. */
  readonly create: (lease: Lease) => Promise<OwnLease | undefined>
  /** Undefined when it has changed. */
  readonly update: (held: H, lease: Lease) => Promise<OwnLease | undefined>
  /** Does nothing when it has changed. */
  readonly remove: (held: H) => Promise<void>
}

const tryOnce = async <H extends Held>(
  table: LeaseTable<H>,
  claim: Claim,
  conf: NetConf,
  pick?: (n: number) => number,
): Promise<OwnLease | undefined> => {
  const choice = choose(claim, conf, await table.list(), pick)
  if (choice.kind === 'update') return table.update(choice.held, choice.lease)
  for (const held of choice.stale) await table.remove(held)
  return table.create(choice.lease)
}

/** This node's lease. `pick` gives a number from 0 below the one it is given. @throws StoreError when no subnet is free, or
 *  others were faster ten times running */
export const acquireLease = async <H extends Held>(
  table: LeaseTable<H>,
  claim: Claim,
  conf: NetConf,
  pick?: (n: number) => number,
): Promise<OwnLease> => {
  for (let tries = 0; tries < RACE_RETRIES; tries++) {
    const own = await tryOnce(table, claim, conf, pick)
    if (own !== undefined) return own
  }
  throw lostRaces(RACE_RETRIES)
}
