/** Keeps the memory on disk as it should be read after a restart; late, so that a burst of changes is one write. */
import type { OwnLease } from '../overlay/claim.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import type { Leases } from './leases.ts'
import { type Log, wordsOf } from './log.ts'
import { type Memory, writeMemory } from './memory.ts'
import type { Options } from './options.ts'
import type { Surroundings } from './surroundings.ts'

export interface Recollection {
  /** Something changed. */
  readonly writeLater: () => void
  /** What was put off. */
  readonly writeNow: () => void
}

const LATER_MS = 3000

/** Which store a memory is of. */
export const storeName = ({ store, storeDir, etcdEndpoints, etcdPrefix, kubeApiUrl }: Options): string =>
  ({ file: `file ${storeDir}`, etcd: `etcd ${etcdEndpoints} ${etcdPrefix}`, kubernetes: `kubernetes ${kubeApiUrl}` })[
    store
  ]

export interface RecollectionParts {
  readonly know: Knowledge
  readonly leases: Leases
  readonly keeper: Keeper
  readonly options: Options
  readonly log: Log
}

export const openRecollection = ({ know, leases, keeper, options, log }: RecollectionParts): Recollection => {
  let timer: NodeJS.Timeout | undefined
  const memoryNow = (): Memory | undefined => {
    const desired = keeper.desired()
    if (know.netConf === undefined || know.own === undefined || desired === undefined || !leases.isKnown())
      return undefined
    const { text } = know.netConf
    const { own } = know.own
    return {
      store: storeName(options),
      netConf: text,
      own,
      peers: [...(keeper.admission()?.admitted.values() ?? [])],
      devices: desired.scope.devices,
    }
  }
  const writeNow = (): void => {
    if (timer === undefined) return
    clearTimeout(timer)
    timer = undefined
    const memory = memoryNow()
    if (memory === undefined) return
    try {
      writeMemory(options.stateDir, memory)
    } catch (error) {
      log.warn(
        { error: wordsOf(error) },
        `${options.stateDir} cannot be written: after a reboot the agent knows nothing of its lease and peers`,
      )
    }
  }
  return {
    writeNow,
    writeLater: () => {
      timer ??= setTimeout(writeNow, LATER_MS).unref()
    },
  }
}

export interface RecallParts {
  readonly know: Knowledge
  readonly leases: Leases
  readonly options: Options
  readonly log: Log
  readonly memory: Memory | undefined
  readonly surroundings: Surroundings
}

const isOver = ({ expires }: OwnLease): boolean => expires !== undefined && expires < Date.now()

/** The store is away and nothing has been programmed yet: what an earlier agent knew of the same store is better than
 *  nothing, as long as the lease lasts. One that is of no use here any more ends nothing: it is as if there were none.
 *  Returns whether there is something to work with now. */
export const openRecall = ({ know, leases, options, log, memory, surroundings }: RecallParts): (() => boolean) => {
  let left = memory
  const work = ({ netConf, own, peers }: Memory): void => {
    if (know.netConf === undefined) surroundings.adopt(netConf)
    know.isRemembering = true
    leases.remember(peers)
    if (know.own === undefined && know.netConf?.text === netConf) know.own = { own, conf: know.netConf.conf }
    log.warn({ peers: peers.length }, 'the store is away: this node works by what it knew before')
  }
  return () => {
    const found = left
    if (leases.isKnown() || found === undefined || found.store !== storeName(options) || isOver(found.own)) return false
    left = undefined
    try {
      work(found)
    } catch (error) {
      log.warn({ error: wordsOf(error) }, 'the store is away, and what this node knew before does not do')
      return false
    }
    return true
  }
}
