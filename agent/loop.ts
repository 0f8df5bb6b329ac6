/** The agent at work: what the store, the kernel and the clock say becomes what is known, and that becomes passes over the
 *  kernel. Everything that touches the kernel runs to its end in one turn; only the store is waited for. */

import type { Kernel } from '../kernel/kernel.ts'
import { type KernelEvent, watchKernel } from '../kernel/monitor.ts'
import type { Plan } from '../kernel/plan.ts'
import type { Outcome } from '../kernel/reconcile.ts'
import type { OwnLease } from '../overlay/claim.ts'
import { StoreError } from '../overlay/store-error.ts'
import { adviceFor, removeUnplannedTable } from './advice.ts'
import { openAlarm } from './alarm.ts'
import { openBackoff } from './backoff.ts'
import { isConcern } from './concern.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import { holdLease } from './lease-task.ts'
import type { Leases } from './leases.ts'
import { linksOf, NO_LINKS } from './links.ts'
import { type Log, wordsOf } from './log.ts'
import type { Memory } from './memory.ts'
import type { Metrics } from './metrics.ts'
import { followNetConf, type Read } from './net-conf-task.ts'
import type { Options } from './options.ts'
import { isOwnTouched, isSameLease, wantedOf } from './own-lease.ts'
import { makePass } from './pass.ts'
import type { Reach } from './reach.ts'
import { announceReady } from './ready-task.ts'
import { openRecollection, storeName } from './recollection.ts'
import type { Reconciler } from './reconciler.ts'
import { openRetry, type Retry, type Trouble } from './retry.ts'
import { openSchedule } from './schedule.ts'
import type { LeaseEvent, LeaseStore } from './store/store.ts'
import { openSurroundings } from './surroundings.ts'
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
  readonly memory: Memory | undefined
  readonly reach: Pick<Reach, 'examine'>
  readonly isReady: () => boolean
}

const MINUTE = 60_000
/** By then a first round of probes has answers. */
const FIRST_EXAMINATION_MS = 10_000
/** Passes at intervals come within a tenth of it, so that the nodes of a cluster do not ask the store in step. */
const jittered = (ms: number): number => ms * (0.9 + Math.random() / 5)

export interface Loop {
  /** Until `signal` aborts; with `once` until the kernel is as planned. @throws DecodeError for a network configuration that
   *  nothing can begin with; with `once` StoreError */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** Reads the network configuration again and makes a pass. */
  readonly wake: () => void
}

export const openLoop = (parts: LoopParts): Loop => {
  const { options, once, log, metrics, kernel, store, know, leases, keeper, reconciler, memory, reach } = parts
  const surroundings = openSurroundings({ know, options, kernel, log, lastLease: memory?.own.lease })
  const recollection = openRecollection({ know, leases, keeper, options, log })
  const [netConfAlarm, leaseAlarm, readyAlarm, clock] = [openAlarm(), openAlarm(), openAlarm(), openAlarm()]
  const failureBackoff = openBackoff(1000, 60_000)
  let links = NO_LINKS
  let [isRemembering, isAdvised] = [false, false]
  let settled: () => void = () => undefined

  /** Once: what others have there does not come by itself. */
  const advise = (base: Plan): void => {
    isAdvised = true
    setTimeout(examine, FIRST_EXAMINATION_MS).unref()
    removeUnplannedTable(base, kernel)
    for (const line of adviceFor(options, kernel)) log.warn(line)
  }

  /** Undefined while too little is known, and when the kernel could not be read. */
  const pass = (): Outcome | undefined => {
    try {
      if (surroundings.look()) leaseAlarm.ring()
      return makePass({ know, options, kernel, log, leases, keeper, isRemembering: () => isRemembering })
    } catch (error) {
      log.error({ error: wordsOf(error) }, 'the kernel cannot be brought to the plan; it is tried again')
      schedule.passIn(failureBackoff.next())
      return undefined
    }
  }

  const turn = (): void => {
    const outcome = pass()
    know.lastTurn = Date.now()
    const desired = keeper.desired()
    if (outcome === undefined || desired === undefined) return
    links = linksOf(desired, kernel)
    if (outcome.failures.length === 0) failureBackoff.reset()
    else schedule.passIn(failureBackoff.next())
    if (!know.isSettled) return
    readyAlarm.ring()
    settled()
    if (!isAdvised) advise(desired.base)
  }

  const schedule = openSchedule({
    pass: turn,
    flush: () => {
      keeper.flush()
      know.lastTurn = Date.now()
      if (reconciler.failures().length > 0) schedule.passIn(failureBackoff.next())
    },
  })

  const onKernel = (event: KernelEvent): void => {
    const desired = keeper.desired()
    const isOurs =
      desired === undefined ? event.kind !== 'neigh' && event.kind !== 'fdb' : isConcern(event, desired, links)
    if (isOurs) schedule.passSoon()
  }

  const onLeaseEvent = (event: LeaseEvent): void => {
    const isFirst = !leases.isKnown()
    know.lastEvent = Date.now()
    keeper.note(event)
    if (isOwnTouched(event, know, leases)) leaseAlarm.ring()
    if (isFirst) schedule.passNow()
    else schedule.flushSoon()
    recollection.writeLater()
  }

  const onLease = (own: OwnLease): void => {
    const { conf } = know.netConf ?? {}
    if (conf === undefined) return
    const before = know.own
    know.own = { own, conf }
    if (before?.conf === conf && isSameLease(before.own.lease, own.lease)) return
    const { key, publicIP, publicIPv6 } = own.lease
    log.info(
      { subnet: key, publicIP, publicIPv6, expires: own.expires && new Date(own.expires) },
      'this node has a lease',
    )
    schedule.passNow()
    recollection.writeLater()
  }

  /** The store is away, and nothing has been programmed yet: what an earlier agent knew is better than nothing. */
  const remember = (): void => {
    if (isRemembering || leases.isKnown() || memory?.store !== storeName(options)) return
    if ((memory.own.expires ?? Number.POSITIVE_INFINITY) < Date.now()) return
    isRemembering = true
    leases.remember(memory.peers)
    if (know.netConf === undefined) surroundings.adopt(memory.netConf)
    if (know.own === undefined && know.netConf?.text === memory.netConf)
      know.own = { own: memory.own, conf: know.netConf.conf }
    log.warn({ peers: memory.peers.length }, 'the store is away: this node works by what it knew before')
    schedule.passNow()
  }

  const retryOf = (what: string): Retry => {
    const onTrouble = (trouble: Trouble | undefined): void => {
      if (trouble === undefined) know.troubles.delete(what)
      else {
        know.troubles.set(what, trouble)
        metrics.storeFailed()
        remember()
      }
    }
    return openRetry({ what, log, once, onTrouble })
  }

  const onRead = ({ text, addresses }: Read): void => {
    know.publicAddresses = addresses
    if (!surroundings.adopt(text)) return
    if (once && know.siteTrouble !== undefined) throw new StoreError(know.siteTrouble)
    leaseAlarm.ring()
    schedule.passNow()
  }

  const examine = (): void => {
    const desired = keeper.desired()
    if (desired !== undefined) reach.examine(desired.node.conf, keeper.admission()?.admitted.values() ?? [])
  }

  const beat = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await clock.wait(jittered(options.resync * 1000), signal)
      netConfAlarm.ring()
      schedule.passNow()
      examine()
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    const stop = new AbortController()
    const all = AbortSignal.any([signal, stop.signal])
    const monitor = watchKernel(kernel, onKernel, { concerns: (index) => links.devices.has(index) })
    const tasks = [
      followNetConf({ store, retry: retryOf('reading the network configuration'), alarm: netConfAlarm, onRead }, all),
      holdLease(
        {
          ...{ store, log, alarm: leaseAlarm, onLease, retry: retryOf('holding the lease') },
          margin: options.subnetLeaseRenewMargin * MINUTE,
          wanted: () => wantedOf(know, options, memory),
          onLost: metrics.leaseLost,
        },
        all,
      ),
      followLeases(
        {
          ...{ store, retry: retryOf('watching the leases'), onEvent: onLeaseEvent },
          onWatching: (isWatching) => {
            know.isWatching = isWatching
          },
        },
        all,
      ),
      announceReady(
        {
          store,
          alarm: readyAlarm,
          isReady: parts.isReady,
          retry: retryOf('telling the store that this node is ready'),
        },
        all,
      ),
      beat(all),
    ]
    const done = new Promise<void>((resolve) => {
      if (once) settled = resolve
    })
    try {
      await Promise.race([Promise.all(tasks), done])
    } finally {
      stop.abort()
      monitor.close()
      schedule.stop()
      recollection.writeNow()
      await Promise.allSettled(tasks)
    }
  }
  return { run, wake: clock.ring }
}
