/** What `/metrics` says, in Prometheus' text format. Names begin with `podwire_`. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What is true now and is asked for when somebody scrapes. */
export interface Readings {
  /** Seconds since the epoch; undefined: no lease, or one that never ends. */
  readonly leaseExpires: number | undefined
  readonly hasLease: boolean
  readonly peers: number
  readonly rejected: number
  readonly failures: number
  readonly isStoreUp: boolean
  /** Seconds since the epoch of the store's last event; undefined: none yet. */
  readonly lastEvent: number | undefined
  readonly isNetConfRefused: boolean
  readonly probed: number
  readonly reachable: number
}

export interface Metrics {
  /** A pass over the kernel has ended; `seconds` it took. */
  readonly passed: (kind: 'resync' | 'transit', seconds: number) => void
  /** `object` in the words of the command: `ip route`, `bridge fdb`, `nft`. */
  readonly operated: (object: string, result: 'done' | 'refused', count: number) => void
  readonly mended: (object: string, why: string, count: number) => void
  readonly leaseLost: () => void
  readonly storeFailed: () => void
  readonly text: () => Promise<string>
  readonly contentType: string
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

const gauges = (registers: Registry[], read: () => Readings): void => {
  const gauge = (name: string, help: string, value: (now: Readings) => number | undefined): void => {
    new Gauge({
      name: `podwire_${name}`,
      help,
      registers,
      collect() {
        const now = value(read())
        if (now === undefined) this.reset()
        else this.set(now)
      },
    })
  }
  gauge('lease_held', 'Whether this node holds a lease (1) or not (0).', ({ hasLease }) => Number(hasLease))
  gauge('lease_expiry_timestamp_seconds', 'When the lease ends unless it is renewed.', (now) => now.leaseExpires)
  gauge('peers', 'Peers whose leases are programmed.', ({ peers }) => peers)
  gauge('peers_rejected', 'Leases in the store that are not believed.', ({ rejected }) => rejected)
  gauge('kernel_failures', 'Facts of the plan that the kernel refuses at present.', ({ failures }) => failures)
  gauge('store_up', 'Whether the store is being watched (1) or not (0).', ({ isStoreUp }) => Number(isStoreUp))
  gauge('store_last_event_timestamp_seconds', "When the store's last event came.", ({ lastEvent }) => lastEvent)
  gauge('net_conf_refused', 'Whether a newer network configuration is refused (1).', (now) =>
    Number(now.isNetConfRefused),
  )
  gauge('probes', 'Peers that are probed.', ({ probed }) => probed)
  gauge('probes_reachable', 'Peers that answered the last probe.', ({ reachable }) => reachable)
}

export const openMetrics = (version: string, read: () => Readings): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  gauges(registers, read)
  new Gauge({ name: 'podwire_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set({ version }, 1)
  new Gauge({
    name: 'podwire_resident_memory_bytes',
    help: 'Resident memory of the agent.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  const passes = new Histogram({
    name: 'podwire_reconcile_duration_seconds',
    help: 'How long a pass over the kernel took.',
    labelNames: ['kind'],
    buckets: SECONDS,
    registers,
  })
  const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
    new Counter({ name: `podwire_${name}_total`, help, labelNames, registers })
  const operations = counter('kernel_operations', 'What was changed in the kernel.', ['object', 'result'])
  const drift = counter('drift_mended', 'What was found other than planned, and mended.', ['object', 'why'])
  const lost = counter('lease_lost', 'How often the lease was lost to another node, or gone from the store.')
  const failed = counter('store_failures', 'Requests to the store that failed, and watches that ended.')
  return {
    passed: (kind, seconds) => passes.observe({ kind }, seconds),
    operated: (object, result, count) => operations.inc({ object, result }, count),
    mended: (object, why, count) => drift.inc({ object, why }, count),
    leaseLost: () => lost.inc(),
    storeFailed: () => failed.inc(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
