/** The measures of the pod layer. */
import { add, bridge, type Conf, del, fullChain } from './attachment.ts'
import { makePods, type Side, type Sides } from './bed.ts'
import { forksOf } from './forks.ts'
import { poolRow } from './pool.ts'
import { type Row, ratioRow, valueRow } from './row.ts'
import { stampede } from './stampede.ts'
import { quantile, summaryOf } from './statistics.ts'
import { inTurn } from './turns.ts'

const ROUNDS = 30

/** ADD and DEL of `plugins`, in a fresh pod each: milliseconds of each, and MiB of the plugin that took most. */
const attachAndDetach = (sides: Sides, title: string, plugins: (side: Side) => readonly Conf[]) => {
  const pods = { podwire: makePods(ROUNDS + 1), reference: makePods(ROUNDS + 1) }
  return inTurn({ title, rounds: ROUNDS }, sides, (side, round) => {
    const attachment = { side, pod: pods[side.name][round] ?? '', plugins: plugins(side) }
    const added = add(attachment)
    const deleted = del(attachment, added)
    const peak = Math.max(...[...added.jobs, ...deleted.jobs].map((job) => job.peak))
    return { add: added.ms, del: deleted.ms, peak }
  })
}

const bridgeRow = (sides: Sides, ipMasq: boolean, measure: string, reach: number): Row => {
  const pairs = attachAndDetach(sides, measure, (side) => [bridge(side, ipMasq)])
  return ratioRow(measure, summaryOf(pairs.add), reach)
}

const MASQ = 'bridge+host-local ADD, ipMasq (ms)'
const CHAIN = 'bridge(ipMasq)+portmap+firewall+bandwidth+tuning'

const chainRows = (sides: Sides): readonly Row[] => {
  const pairs = attachAndDetach(sides, CHAIN, fullChain)
  const peaks = { podwire: pairs.peak.map((p) => p.podwire), reference: pairs.peak.map((p) => p.reference) }
  return [
    ratioRow(`${CHAIN} ADD (ms)`, summaryOf(pairs.add), 0.35),
    ratioRow(`${CHAIN} DEL (ms)`, summaryOf(pairs.del), 0.4),
    valueRow('peak memory of one exec (MiB)', quantile(peaks.podwire, 1), quantile(peaks.reference, 1), 32),
  ]
}

const forkRow = (sides: Sides): Row => {
  const measure = 'processes forked by one chain ADD'
  const { podwire, reference } = forksOf(sides, fullChain)
  return valueRow(measure, podwire, reference, 0)
}

/** Rows of the pod layer, in the order of the table. */
export function* podRows(sides: Sides): Generator<Row> {
  yield bridgeRow(sides, false, 'bridge+host-local ADD, no masquerade (ms)', 0.75)
  yield bridgeRow(sides, true, MASQ, 0.35)
  const [chainAdd, chainDel, peak] = chainRows(sides)
  if (chainAdd !== undefined) yield chainAdd
  if (chainDel !== undefined) yield chainDel
  yield stampede(sides)
  yield poolRow(sides)
  if (peak !== undefined) yield peak
  yield forkRow(sides)
}
