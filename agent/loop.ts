/** The agent at work: what the store and the clock say becomes what is known, and turns at the kernel follow. Only the store
 *  is waited for. */
import type { Kernel } from '../kernel/kernel.ts'
import type { OwnLease } from '../overlay/claim.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import { StoreError } from '../overlay/store-error.ts'
import { openAlarm } from './alarm.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import { holdLease } from './lease-task.ts'
import type { Leases } from './leases.ts'
import type { Log } from './log.ts'
import type { Memory } from './memory.ts'
import type { Metrics } from './metrics.ts'
import { followNetConf, type Read } from './net-conf-task.ts'
import type { Options } from './options.ts'
import { isOwnTouched, isSameLease, wantedOf } from './own-lease.ts'
import type { Reach } from './reach.ts'
import { announceReady } from './ready-task.ts'
import { openRecall, openRecollection } from './recollection.ts'
import type { Reconciler } from './reconciler.ts'
import { openRetry, type Retry, type Trouble } from './retry.ts'
import type { LeaseEvent, LeaseStore } from './store/store.ts'
import { openSurroundings } from './surroundings.ts'
import { openTurns } from './turns.ts'
import { followLeases } from './watch-task.ts'

export interface LoopParts {
  readonly options: Options
  /** One pass, nothing tried twice. */
  readonly once: boolean
  readonly log: Log
  readonly metrics: Metrics
  readonly kernel: Kernel
  readonly store: LeaseStore
  readonly know: Knowledge
  readonly leases: Leases
  readonly keeper: Keeper
  readonly reconciler: Reconciler
  readonly reach: Pick<Reach, 'examine'>
  readonly memory: Memory | undefined
  readonly isReady: () => boolean
}

export interface Loop {
  /** Until `signal` aborts; with `once` until the kernel is as planned. @throws DecodeError for a network configuration that
   *  nothing can begin with; with `once` StoreError */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** Reads the network configuration again and makes a pass. */
  readonly wake: () => void
}

const MINUTE = 60_000
const LEASE_REST_MS = 500
/** Passes at intervals come within a tenth of it, so that the nodes of a cluster do not ask the store in step. */
const jittered = (ms: number): number => ms * (0.9 + Math.random() / 5)

export const openLoop = (parts: LoopParts): Loop => {
  const { options, once, log, metrics, kernel, store, know, leases, keeper, memory } = parts
  const alarms = { netConf: openAlarm(), lease: openAlarm(), ready: openAlarm(), clock: openAlarm() }
  let finish: () => void = () => undefined
  let beginWatch: () => void = () => undefined
  const begin = new Promise<void>((resolve) => {
    beginWatch = resolve
  })

  const surroundings = openSurroundings({ know, options, kernel, log, lastLease: memory?.own.lease })
  const recollection = openRecollection({ know, leases, keeper, options, log })
  const recall = openRecall({ know, leases, options, log, memory, surroundings })
  const turns = openTurns({
    ...parts,
    surroundings,
    onSite: alarms.lease.ring,
    onSettled: () => {
      alarms.ready.ring()
      finish()
    },
  })

  const onLeaseEvent = (event: LeaseEvent): void => {
    const isFirst = !leases.isKnown()
    know.lastEvent = Date.now()
    const isChange = keeper.note(event)
    if (isOwnTouched(event, know, leases)) alarms.lease.ring()
    if (isFirst) turns.passNow()
    else if (isChange) turns.flushSoon()
    if (isFirst || isChange) recollection.writeLater()
  }

  const onLease = (own: OwnLease, conf: NetConf): void => {
    const before = know.own
    know.own = { own, conf }
    beginWatch()
    if (own.expires !== before?.own.expires) recollection.writeLater()
    if (before?.conf === conf && isSameLease(before.own.lease, own.lease)) return
    const { key, publicIP, publicIPv6 } = own.lease
    log.info({ key, publicIP, publicIPv6, expires: own.expires && new Date(own.expires) }, 'this node has a lease')
    turns.passNow()
    recollection.writeLater()
  }

  const onRead = ({ text, addresses }: Read): void => {
    const isMoved = JSON.stringify(addresses) !== JSON.stringify(know.publicAddresses)
    know.publicAddresses = addresses
    const isNew = surroundings.adopt(text)
    if (know.hasRead && !isNew && !isMoved) return
    know.hasRead = true
    if (once && know.siteTrouble !== undefined) throw new StoreError(know.siteTrouble)
    alarms.lease.ring()
    turns.passNow()
  }

  const retryOf = (what: string): Retry => {
    const onTrouble = (trouble: Trouble | undefined): void => {
      if (trouble === undefined) know.troubles.delete(what)
      else {
        know.troubles.set(what, trouble)
        metrics.storeFailed()
        if (recall()) turns.passNow()
      }
    }
    return openRetry({ what, log, once, onTrouble })
  }

  const beat = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await alarms.clock.wait(jittered(options.resync * 1000), signal)
      alarms.netConf.ring()
      turns.passNow()
      turns.examine()
    }
  }

  const tasks = (signal: AbortSignal): readonly Promise<void>[] => [
    followNetConf(
      { store, retry: retryOf('reading the network configuration'), alarm: alarms.netConf, onRead },
      signal,
    ),
    holdLease(
      {
        ...{ store, log, alarm: alarms.lease, onLease, retry: retryOf('holding the lease') },
        margin: options.subnetLeaseRenewMargin * MINUTE,
        rest: LEASE_REST_MS,
        wanted: () => wantedOf(know, options, memory),
        onLost: metrics.leaseLost,
      },
      signal,
    ),
    followLeases(
      {
        ...{ store, retry: retryOf('watching the leases'), onEvent: onLeaseEvent, begin },
        onWatching: (isWatching) => {
          know.isWatching = isWatching
        },
      },
      signal,
    ),
    announceReady(
      {
        store,
        alarm: alarms.ready,
        isReady: parts.isReady,
        retry: retryOf('telling the store that this node is ready'),
      },
      signal,
    ),
    beat(signal),
  ]

  const run = async (signal: AbortSignal): Promise<void> => {
    const stop = new AbortController()
    const monitor = turns.listen()
    const finished = new Promise<void>((resolve) => {
      if (once) finish = resolve
    })
    const running = tasks(AbortSignal.any([signal, stop.signal]))
    try {
      await Promise.race([Promise.all(running), finished])
    } finally {
      stop.abort()
      monitor.close()
      turns.stop()
      recollection.writeNow()
      await Promise.allSettled(running)
    }
  }
  return { run, wake: alarms.clock.ring }
}
