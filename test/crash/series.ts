/** One series: a verb of one subject, killed at one point after another, each time followed by DEL and GC. A second
 *  attachment lives all the while; it must come through untouched. */
import { outcomeOf } from '../conformance/outcome.ts'
import { difference, kernelState, type State } from '../conformance/state.ts'
import { type Attachment, makeTrial, type Trial, type Verb } from '../conformance/trial.ts'
import { isKilled, type KillPoint, killPoints, traced } from './kill.ts'
import { POOL, RANGES, type Subject } from './subject.ts'

export type Killed = Extract<Verb, 'ADD' | 'DEL' | 'GC'>

export interface Finding {
  /** The system call that was not made. */
  readonly point: string
  readonly what: string
}

/** One row of the table. */
export interface Row {
  readonly subject: string
  readonly verb: Killed
  /** Kills made. */
  readonly kills: number
  /** Of how many points. */
  readonly points: number
  /** Kills after which DEL alone left something, for GC to find. */
  readonly leftByDel: number
  readonly findings: readonly Finding[]
}

/** A qdisc of the pod's host end goes with it, when the plugin before a chained one has its DEL; addresses of `lo` come with
 *  it being up, and stay. */
const isExcused = (line: string, index: number): boolean =>
  (line.startsWith('qdisc ') && line.includes(`"pw${index}"`)) ||
  /^pod (?:addr .* dev lo$|(?:route6?|qdisc) .*"lo")/.test(line)

/** The node, the files, and the pod as its owner gets it back. */
const stateOf = async (trial: Trial, { pod, index }: Attachment): Promise<State> => {
  const inPod = (await kernelState(trial.bed, pod.netns)).map((line) => `pod ${line}`)
  return [...(await trial.state()), ...inPod].filter((line) => !isExcused(line, index))
}

const describe = (lines: readonly string[]): string => lines.slice(0, 4).join('; ').slice(0, 600)

interface Series {
  readonly trial: Trial
  readonly verb: Killed
  readonly kept: Attachment
}

/** stdin of GC: what is to be kept. */
const changeOf = ({ verb, kept }: Series): { conf: Record<string, unknown> } => {
  const valid = [{ containerID: kept.containerID, ifname: kept.ifName }]
  return { conf: verb === 'GC' ? { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid } : {} }
}

const killOnce = async (
  series: Series,
  point: KillPoint,
): Promise<{ left: boolean; whats: readonly string[] } | undefined> => {
  const { trial, verb, kept } = series
  const attachment = await trial.attachment()
  const before = await stateOf(trial, attachment)
  if (verb !== 'ADD') await trial.add(attachment)
  const log = await traced(trial, verb, attachment, point, changeOf(series))
  const del = await trial.call('DEL', attachment)
  const afterDel = difference(before, await stateOf(trial, attachment))
  const gc = await trial.gc([kept])
  const afterGc = difference(before, await stateOf(trial, attachment))
  await trial.bed.removePod(attachment.pod)
  if (!isKilled(log)) return undefined
  const refusals = [
    ...(del.status === 0 ? [] : [`DEL is refused: ${outcomeOf(del).stdout}`]),
    ...(gc.status === 0 ? [] : [`GC is refused: ${gc.stdout}`]),
  ]
  const whats = [...refusals, ...(afterGc.length === 0 ? [] : [`left after DEL and GC: ${describe(afterGc)}`])]
  return { left: afterDel.length > 0, whats }
}

/** The points of one undisturbed call. */
const pointsOf = async (series: Series): Promise<readonly KillPoint[]> => {
  const { trial, verb } = series
  const model = await trial.attachment()
  if (verb !== 'ADD') await trial.add(model)
  const points = await killPoints(trial, verb, model, changeOf(series))
  await trial.call('DEL', model)
  await trial.bed.removePod(model.pod)
  return points
}

/** At most `sample` of `points`, evenly spread. */
const sampled = (points: readonly KillPoint[], sample: number): readonly KillPoint[] =>
  points.length <= sample
    ? points
    : Array.from({ length: sample }, (_, i) => points[Math.floor(((i + 0.5) * points.length) / sample)]).filter(
        (point) => point !== undefined,
      )

/** Every address of the pool but the one in use is still to be had, once. */
const poolFindings = async (trial: Trial): Promise<readonly Finding[]> => {
  const { conf: confFor, cramp } = trial.profile
  if (cramp === undefined && !JSON.stringify(confFor(trial.bed, 0)).includes('host-local')) return []
  const ipam = { type: 'host-local', dataDir: `${trial.bed.folder}/ipam`, ranges: RANGES }
  const taken = new Set<unknown>()
  const pod = await trial.bed.pod()
  for (let i = 0; i <= POOL; i++) {
    const one = { containerID: `fill${i}`, ifName: 'eth0', network: 'net', pod, index: 0, given: undefined }
    const { status, json } = await trial.call('ADD', one, { plugin: 'host-local', conf: { ipam } })
    if (status === 0) taken.add(JSON.stringify(json?.['ips']))
  }
  const what = `${taken.size} of ${POOL - 1} free addresses are to be had`
  return taken.size === POOL - 1 ? [] : [{ point: 'after all kills', what }]
}

/** Kills `verb` of `subject`, found in the folder `dir`, at `sample` points (all of them when there are fewer). */
export const runSeries = async (dir: string, subject: Subject, verb: Killed, sample: number): Promise<Row> => {
  const trial = await makeTrial(dir, subject.profile, '1.1.0')
  try {
    const kept = await trial.attached({ containerID: 'kept' })
    const series = { trial, verb, kept }
    const points = await pointsOf(series)
    const findings: Finding[] = []
    let [kills, leftByDel] = [0, 0]
    for (const point of sampled(points, sample)) {
      const outcome = await killOnce(series, point)
      if (outcome === undefined) continue
      kills++
      if (outcome.left) leftByDel++
      findings.push(
        ...outcome.whats.map((what) => ({
          point: `${point.name} ${point.ordinal}: ${point.text.slice(0, 100)}`,
          what,
        })),
      )
    }
    const check = await trial.call('CHECK', kept)
    if (check.status !== 0) findings.push({ point: 'after all kills', what: `CHECK of the other: ${check.stdout}` })
    findings.push(...(await poolFindings(trial)))
    return { subject: subject.name, verb, kills, points: points.length, leftByDel, findings }
  } finally {
    await trial.bed.remove()
  }
}
