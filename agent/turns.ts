/** The agent's turns at the kernel: passes over the whole and what changes for single peers, when they are due, and what
 *  follows from them. Each runs to its end. */
import type { Kernel } from '../kernel/kernel.ts'
import { type KernelEvent, type Monitor, watchKernel } from '../kernel/monitor.ts'
import type { Outcome } from '../kernel/reconcile.ts'
import { adviceFor, removeUnplannedTable } from './advice.ts'
import { openBackoff } from './backoff.ts'
import { isConcern } from './concern.ts'
import type { Desired } from './desired.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import type { Leases } from './leases.ts'
import { linksOf, NO_LINKS } from './links.ts'
import { type Log, wordsOf } from './log.ts'
import type { Options } from './options.ts'
import { openPages } from './pages.ts'
import { makePass } from './pass.ts'
import type { Reach } from './reach.ts'
import type { Reconciler } from './reconciler.ts'
import { openSchedule } from './schedule.ts'
import type { Surroundings } from './surroundings.ts'

export interface TurnParts {
  readonly options: Options
  readonly log: Log
  readonly kernel: Kernel
  readonly know: Knowledge
  readonly leases: Leases
  readonly keeper: Keeper
  readonly reconciler: Reconciler
  readonly reach: Pick<Reach, 'examine'>
  readonly surroundings: Surroundings
  /** The underlay or this node's addresses are others now. */
  readonly onSite: () => void
  /** After each pass with all leases. */
  readonly onSettled: () => void
}

export interface Turns {
  readonly passNow: () => void
  /** What the keeper noted is brought to the kernel. */
  readonly flushSoon: () => void
  /** Has checksum offload examined, if it is time to. */
  readonly examine: () => void
  /** Passes follow what the kernel says, until closed. */
  readonly listen: () => Monitor
  readonly stop: () => void
}

/** By then a first round of probes has answers. */
const FIRST_EXAMINATION_MS = 10_000

export const openTurns = (parts: TurnParts): Turns => {
  const { options, log, kernel, know, keeper, reconciler, reach, surroundings, onSite, onSettled } = parts
  const [backoff, giveBackPages] = [openBackoff(1000, 60_000), openPages()]
  let links = NO_LINKS
  let isBegun = false

  const examine = (): void => {
    const desired = keeper.desired()
    if (desired !== undefined) reach.examine(desired.node.conf, keeper.admission()?.admitted.values() ?? [])
  }

  /** After the first pass: what an earlier configuration or others left does not come by itself. */
  const begin = ({ base, peers }: Desired, { changes }: Outcome): void => {
    removeUnplannedTable(base, kernel)
    isBegun = true
    log.info({ peers: peers.size, changes: changes.length }, 'the kernel is as planned')
    for (const line of adviceFor(options, kernel)) log.warn(line)
    setTimeout(examine, FIRST_EXAMINATION_MS).unref()
  }

  /** What the kernel refuses is tried again. */
  const retryFailures = (): void => {
    if (reconciler.failures().length === 0) backoff.reset()
    else schedule.passIn(backoff.next())
  }

  /** A kernel that cannot be read, or a socket that fails, ends a turn and not the agent: the next pass begins with what the
   *  kernel holds then. */
  const turn = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      log.error({ error: wordsOf(error) }, 'the kernel cannot be brought to the plan; it is tried again')
      schedule.passIn(backoff.next())
    }
    know.lastTurn = Date.now()
  }

  const pass = (): void =>
    turn(() => {
      if (surroundings.look()) onSite()
      const outcome = makePass(parts)
      const desired = keeper.desired()
      // too little is known
      if (outcome === undefined || desired === undefined) return
      links = linksOf(desired, kernel)
      giveBackPages()
      retryFailures()
      if (!know.isSettled) return
      if (!isBegun) begin(desired, outcome)
      onSettled()
    })

  const flush = (): void =>
    turn(() => {
      keeper.flush()
      retryFailures()
    })

  const schedule = openSchedule({ pass, flush })

  const onKernel = (event: KernelEvent): void => {
    const desired = keeper.desired()
    const isOurs =
      desired === undefined ? event.kind !== 'neigh' && event.kind !== 'fdb' : isConcern(event, desired, links)
    if (isOurs) schedule.passSoon()
  }

  return {
    passNow: schedule.passNow,
    flushSoon: schedule.flushSoon,
    examine,
    listen: () => watchKernel(kernel, onKernel, { concerns: (index) => links.devices.has(index) }),
    stop: schedule.stop,
  }
}
