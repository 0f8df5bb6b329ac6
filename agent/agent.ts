/** The agent from its start to its end. */
import type { Server } from 'node:http'
import { type Kernel, openKernel } from '../kernel/kernel.ts'
import { portRoutes, socketRoutes } from './health.ts'
import { openKeeper } from './keeper.ts'
import { openKnowledge } from './knowledge.ts'
import { openLeases } from './leases.ts'
import { takeLock } from './lock.ts'
import { type Log, openLog, wordsOf } from './log.ts'
import { type Loop, openLoop } from './loop.ts'
import { readMemory } from './memory.ts'
import type { Options } from './options.ts'
import { openReach } from './reach.ts'
import { storeName } from './recollection.ts'
import { openReconciler } from './reconciler.ts'
import { openReport, type Report } from './report.ts'
import { closeServer, servePort, serveSocket } from './server.ts'
import { openStore } from './store/open.ts'
import type { LeaseStore } from './store/store.ts'

export interface AgentStart {
  readonly version: string
  readonly options: Options
  /** Brings the kernel to the plan, and ends. */
  readonly once: boolean
  /** What is odd about the options, to be logged. */
  readonly warnings: readonly string[]
}

/** Aborts on SIGTERM and SIGINT; a second one, or 800 ms, ends the process where it is. */
const untilSignal = (log: Log): AbortSignal => {
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(0)
    log.info({ signal }, 'the agent stops; the data path stays as it is')
    stop.abort()
    setTimeout(() => process.exit(0), 800).unref()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return stop.signal
}

const serve = async (
  parts: { readonly options: Options; readonly log: Log },
  port: () => Promise<Server>,
): Promise<Server[]> => {
  if (parts.options.healthzPort === 0) return []
  try {
    return [await port()]
  } catch (error) {
    parts.log.error({ error: wordsOf(error) }, 'no health and metrics are served')
    return []
  }
}

interface Assembly {
  readonly start: AgentStart
  readonly log: Log
  readonly kernel: Kernel
  readonly store: LeaseStore
}

const assemble = async ({ start, log, kernel, store }: Assembly) => {
  const { options, version, once } = start
  const { openMetrics } = await import('./metrics.ts')
  const [know, leases, memory] = [openKnowledge(), openLeases(), readMemory(options.stateDir)]
  const metrics = openMetrics(version, () => report.readings())
  const reconciler = openReconciler(kernel, log, metrics)
  const probed = once ? { ...options, probeInterval: 0 } : options
  const reach = openReach({ options: probed, kernel, log, onBroken: () => loop.wake() })
  const keeper = openKeeper({
    options,
    log,
    reconciler,
    leases,
    reach,
    earlier: memory?.store === storeName(options) ? memory : memory && { ...memory, peers: [] },
  })
  const report: Report = openReport({ version, options, know, leases, keeper, reconciler, reach })
  const loop: Loop = openLoop({
    ...{ options, once, log, metrics, kernel, store, know, leases, keeper, reconciler, memory, reach },
    isReady: () => report.missing().length === 0,
  })
  return { know, report, metrics, reconciler, reach, loop }
}

const work = async (assembly: Assembly): Promise<number> => {
  const { start, log } = assembly
  const { options, once } = start
  const { know, report, metrics, reconciler, reach, loop } = await assemble(assembly)
  const signal = untilSignal(log)
  process.on('SIGHUP', loop.wake)
  const servers = once
    ? []
    : [
        await serveSocket(socketRoutes(report), `${options.runDir}/agent.sock`),
        ...(await serve({ options, log }, () =>
          servePort(portRoutes(know, report, metrics, options.resync), options.healthzIp, options.healthzPort),
        )),
      ]
  try {
    await loop.run(signal)
  } finally {
    for (const server of servers) closeServer(server)
    reach.close()
  }
  return once && (reconciler.failures().length > 0 || report.missing().length > 0) ? 1 : 0
}

/** Runs until it is told to end, with `once` until the kernel is as planned. Returns the exit status: with `once` 1 when a
 *  part of the plan could not be programmed. @throws CniError 103 when another agent runs; DecodeError for a network
 *  configuration that is wrong, nothing having been touched; with `once` StoreError */
export const runAgent = async (start: AgentStart): Promise<number> => {
  const { options } = start
  const log = await openLog(options)
  const release = takeLock(options.runDir)
  for (const warning of start.warnings) log.warn(warning)
  log.info({ version: start.version, store: options.store }, 'the agent starts')
  const kernel = openKernel('')
  try {
    const store = await openStore(options)
    try {
      return await work({ start, log, kernel, store })
    } finally {
      store.close()
    }
  } finally {
    kernel.close()
    release()
  }
}
