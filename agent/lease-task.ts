/** Holds this node's lease: acquires it, renews it before it ends, publishes again what has changed, acquires another one
 *  when it is lost. */
import type { Claim, OwnLease } from '../overlay/claim.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import { type Alarm, openAlarm } from './alarm.ts'
import type { Log } from './log.ts'
import type { Retry } from './retry.ts'
import { LeaseLost, type LeaseStore } from './store/store.ts'

export interface Wanted {
  readonly claim: Claim
  readonly conf: NetConf
}

export interface LeaseTask {
  readonly store: LeaseStore
  readonly retry: Retry
  /** Rung when the claim or the configuration has changed, or when the store says that the lease has. */
  readonly alarm: Alarm
  readonly log: Log
  /** Before its end, in ms. */
  readonly margin: number
  /** Ms from one call of a store that rings with every answer to the next. */
  readonly rest: number
  /** Undefined while it is not known yet. */
  readonly wanted: () => Wanted | undefined
  /** `conf`: the configuration that it was acquired for. */
  readonly onLease: (own: OwnLease, conf: NetConf) => void
  readonly onLost: () => void
}

/** Ms until a lease is renewed: `margin` before its end, of a short one after half of its time; undefined: never. */
export const untilRenewal = ({ expires }: OwnLease, margin: number, now: number): number | undefined =>
  expires === undefined ? undefined : Math.max(0, Math.max(expires - margin - now, (expires - now) / 2))

/** A configuration of another shape may not fit the lease: the store decides, as for a new one. A store without a network
 *  configuration is not there (a folder that is not mounted): to acquire in it would begin another network. */
const obtain = async (
  { store }: LeaseTask,
  { claim, conf }: Wanted,
  held: (OwnLease & { readonly conf: NetConf }) | undefined,
  signal: AbortSignal,
): Promise<OwnLease> => {
  if (held !== undefined && held.conf === conf) return store.renew(held, claim, signal)
  await store.readNetConf(signal)
  return store.acquire(claim, conf, signal)
}

/** Until `signal` aborts. @throws what `retry` throws */
export const holdLease = async (task: LeaseTask, signal: AbortSignal): Promise<void> => {
  let held: (OwnLease & { readonly conf: NetConf }) | undefined
  while (!signal.aborted) {
    const wanted = task.wanted()
    if (wanted === undefined) {
      await task.alarm.wait(undefined, signal)
      continue
    }
    try {
      const own = await obtain(task, wanted, held, signal)
      held = { ...own, conf: wanted.conf }
      task.retry.worked()
      task.onLease(own, wanted.conf)
      await openAlarm().wait(task.rest, signal)
      await task.alarm.wait(untilRenewal(own, task.margin, Date.now()), signal)
    } catch (error) {
      if (error instanceof LeaseLost && held !== undefined) {
        task.log.error({ error: error.message, subnet: held.lease.key }, 'the lease is lost; another one is acquired')
        held = undefined
        task.onLost()
      } else await task.retry.failed(error, signal)
    }
  }
}
