/** The measures of the node layer: `podwire agent` with vxlan and a store of files. */

import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import { mustIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay } from '../support/underlay.ts'
import { type Fleet, join, leave, makeFleet, subnetOf } from './fleet.ts'
import { type NodeView, viewOf } from './node-view.ts'
import { cpuSecondsOf, peakOf, rssOf } from './process.ts'
import { type Row, valueRow } from './row.ts'
import { median } from './statistics.ts'
import { throughputRow } from './throughput.ts'

const PEERS = 5000
const ROUNDS = 25
const SETTLE_MS = 8000
const IDLE_SECONDS = Number(process.env['BENCH_IDLE_SECONDS'] ?? 30)

interface Stand {
  readonly fleet: Fleet
  readonly netns: string
  readonly folder: string
  readonly view: NodeView
}

const makeStand = (peers: number): Stand => {
  const netns = makeUnderlay(1, 'bench').nodes[0]?.netns ?? ''
  return { fleet: makeFleet(peers), netns, folder: makeFolder('bench-agent'), view: viewOf(netns) }
}

const start = ({ fleet, netns, folder }: Stand): Agent =>
  startAgent({ netns, folder, args: ['--store', 'file', '--store-dir', fleet.folder, '--iface', 'eth0'] })

const isComplete = ({ view }: Stand, peers: number): boolean => {
  const { routes, neighs, fdb } = view.counts()
  return routes === peers && neighs === peers && fdb === peers
}

/** @throws Error when the kernel does not hold three entries for each of `peers` within 20 s */
const requireComplete = (stand: Stand, peers: number): void => {
  if (!waitFor(() => isComplete(stand, peers), 20_000))
    throw new Error(`expected three entries for each of ${peers} peers, found ${JSON.stringify(stand.view.counts())}`)
}

const mib = (agent: Agent): number => rssOf(agent.pid)

/** Milliseconds until `condition` holds, asked without pause. @throws Error after 5 s */
const spin = (condition: () => boolean): number => {
  const start = performance.now()
  while (!condition()) if (performance.now() - start > 5000) throw new Error('nothing came of an event in 5 s')
  return performance.now() - start
}

/** Medians of a peer's joining and leaving, from the rename or removal of its lease to the kernel's last entry. */
const joinAndLeave = ({ fleet, view }: Stand, first: number) => {
  const joins: number[] = []
  const leaves: number[] = []
  for (let i = first; i < first + ROUNDS; i++) {
    waitFor(() => false, 40)
    join(fleet, i)
    joins.push(spin(() => view.hasRoute(subnetOf(i)) && view.hasNeigh(subnetOf(i))))
    waitFor(() => false, 40)
    leave(fleet, i)
    leaves.push(spin(() => !view.hasRoute(subnetOf(i)) && !view.hasNeigh(subnetOf(i))))
  }
  return { join: median(joins), leave: median(leaves) }
}

const eventRows = (stand: Stand): readonly Row[] => {
  const small = makeStand(10)
  const agent = start(small)
  untilReady(agent, ({ peers }) => peers.length === 10)
  const few = joinAndLeave(small, 10)
  agent.end()
  const many = joinAndLeave(stand, PEERS)
  return [
    valueRow(`a peer joins ${PEERS}, event to kernel (ms; reference: joins 10)`, many.join, few.join, 5),
    valueRow(`a peer leaves ${PEERS}, event to kernel (ms; reference: leaves 10)`, many.leave, few.leave, 5),
  ]
}

/** Percent of one core, and MiB more than at the start. */
const idle = (agent: Agent) => {
  const [cpu, rss] = [cpuSecondsOf(agent.pid), mib(agent)]
  waitFor(() => false, IDLE_SECONDS * 1000)
  return { percent: ((cpuSecondsOf(agent.pid) - cpu) / IDLE_SECONDS) * 100, growth: mib(agent) - rss }
}

const idleRows = (agent: Agent): readonly Row[] => {
  waitFor(() => false, 5000)
  const { percent, growth } = idle(agent)
  return [
    valueRow(`idle agent, ${PEERS} peers, ${IDLE_SECONDS} s (% of one core)`, percent, null, 1),
    valueRow(`idle agent, ${PEERS} peers, ${IDLE_SECONDS} s (MiB grown)`, growth, null, 5),
  ]
}

const FOREIGN_ROUTE = '203.0.113.0/24'
const FOREIGN_MAC = '0e:ff:ff:ff:ff:01'

const addForeign = (netns: string): void => {
  mustIn(netns, ['ip', 'route', 'add', FOREIGN_ROUTE, 'dev', 'flannel.1', 'proto', 'static'])
  mustIn(netns, ['bridge', 'fdb', 'append', FOREIGN_MAC, 'dev', 'flannel.1', 'dst', '192.0.2.254'])
}

const foreignLost = (netns: string): number => {
  const routes = mustIn(netns, ['ip', 'route', 'show', FOREIGN_ROUTE])
  const fdb = mustIn(netns, ['bridge', 'fdb', 'show', 'dev', 'flannel.1'])
  return (routes === '' ? 1 : 0) + (fdb.includes(FOREIGN_MAC) ? 0 : 1)
}

const GONE = 500

/** A tenth of the peers leaves while the agent is down. Returns the agent that found out. */
const vanished = (stand: Stand, agent: Agent): { readonly agent: Agent; readonly row: Row } => {
  addForeign(stand.netns)
  agent.end()
  for (let i = 0; i < GONE; i++) leave(stand.fleet, i)
  const next = start(stand)
  untilReady(next, ({ peers }) => peers.length === PEERS - GONE)
  const { routes, neighs, fdb } = stand.view.counts()
  const stale = [routes, neighs, fdb - 1].map((count) => Math.abs(count - (PEERS - GONE)))
  const wrong = stale.reduce((sum, count) => sum + count, foreignLost(stand.netns))
  return {
    agent: next,
    row: valueRow(`${GONE} peers gone while the agent was down: entries wrong when ready`, wrong, null, 0),
  }
}

const DELETED_PEERS = 500

const deletedRow = (): Row => {
  const stand = makeStand(DELETED_PEERS)
  const agent = start(stand)
  untilReady(agent, ({ peers }) => peers.length === DELETED_PEERS)
  requireComplete(stand, DELETED_PEERS)
  const times = Array.from({ length: 5 }, () => {
    mustIn(stand.netns, ['ip', 'link', 'del', 'flannel.1'])
    const took = spin(() => stand.view.device() !== undefined && isComplete(stand, DELETED_PEERS))
    waitFor(() => false, 1500)
    return took
  })
  agent.end()
  return valueRow(`ip link del, ${DELETED_PEERS} peers: all back (ms)`, Math.max(...times), null, 1000)
}

/** Rows of the node layer, in the order of the table. */
export function* overlayRows(): Generator<Row> {
  const stand = makeStand(PEERS)
  const agent = start(stand)
  // nobody asks the kernel or the agent anything while it works
  waitFor(() => false, SETTLE_MS)
  const [settled, peak] = [mib(agent), peakOf(agent.pid)]
  requireComplete(stand, PEERS)
  const { passes } = untilReady(agent, ({ peers }) => peers.length === PEERS)
  yield valueRow(`${PEERS} peers from nothing (ms)`, passes.first?.ms ?? Number.NaN, null, 500)
  yield valueRow(`agent with ${PEERS} peers, settled (MiB)`, settled, null, 100)
  yield valueRow(`agent with ${PEERS} peers, its peak meanwhile (MiB)`, peak, null, 100)
  yield* eventRows(stand)
  yield deletedRow()
  const after = vanished(stand, agent)
  yield after.row
  yield* idleRows(after.agent)
  after.agent.end()
  yield throughputRow()
}
