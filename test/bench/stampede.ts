/** A hundred pods that start at the same moment. */
import { bridge, jobsOf } from './attachment.ts'
import { makePods, type Side, type Sides } from './bed.ts'
import { drive, type Run } from './driver.ts'
import { type Row, ratioRow } from './row.ts'
import { summaryOf } from './statistics.ts'
import { inTurn } from './turns.ts'

const PODS = 100
const ROUNDS = 7
const MEASURE = `${PODS} ADDs at once, ipMasq, to the last (ms)`

const call = (side: Side, verb: string, pods: readonly string[]): Run => {
  const jobs = pods.flatMap((pod) => jobsOf({ side, pod, plugins: [bridge(side, true)] }))
  return drive({ node: side.node, bin: side.bin, verb, jobs, together: true })
}

const addressIn = (stdout: string): string =>
  (JSON.parse(stdout) as { readonly ips: readonly { readonly address: string }[] }).ips[0]?.address ?? ''

/** @throws Error when two pods were given one address */
const requireDistinct = ({ jobs }: Run, side: Side): void => {
  const addresses = new Set(jobs.map(({ stdout }) => addressIn(stdout)))
  if (addresses.size !== PODS) throw new Error(`${side.name}: ${PODS} pods share ${addresses.size} addresses`)
}

/** Wall time from the first spawn to the end of the last ADD. @throws Error when one fails or an address is given twice */
export const stampede = (sides: Sides): Row => {
  const pods = { podwire: makePods(PODS), reference: makePods(PODS) }
  const pairs = inTurn({ title: MEASURE, rounds: ROUNDS }, sides, (side) => {
    const run = call(side, 'ADD', pods[side.name])
    requireDistinct(run, side)
    call(side, 'DEL', pods[side.name])
    return { wall: run.ms }
  })
  return ratioRow(MEASURE, summaryOf(pairs.wall), 0.5)
}
