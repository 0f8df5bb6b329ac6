/** Runs of plugins under the clock of `driver.c`. */
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { pathOf } from '../support/netns.ts'

export interface Job {
  readonly executable: string
  readonly containerID: string
  /** Name of the pod's namespace. */
  readonly netns: string
  readonly conf: object
}

export interface Run {
  /** Milliseconds from the first spawn to the end of the last process. */
  readonly ms: number
  readonly jobs: readonly JobRun[]
}

export interface JobRun {
  readonly ms: number
  /** Peak of resident memory, MiB. */
  readonly peak: number
  readonly stdout: string
}

export interface Orders {
  /** Name of the namespace the plugins run in. */
  readonly node: string
  readonly verb: string
  /** CNI_PATH. */
  readonly bin: string
  readonly jobs: readonly Job[]
  /** All at once, not one after the other. */
  readonly together?: boolean
  /** Put before the driver: `['strace', '-f', ...]`. */
  readonly wrap?: readonly string[]
}

let compiled: string | undefined
const driver = (): string => {
  if (compiled === undefined) {
    compiled = `${makeFolder('bench')}/driver`
    must(['cc', '-O2', '-o', compiled, `${import.meta.dirname}/driver.c`])
  }
  return compiled
}

const lineOf = ({ executable, containerID, netns, conf }: Job): string =>
  `${[executable, containerID, pathOf(netns), JSON.stringify(conf)].join('\t')}\n`

const environmentOf = ({ verb, bin }: Orders): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  CNI_COMMAND: verb,
  CNI_IFNAME: 'eth0',
  CNI_PATH: bin,
  CNI_ARGS: 'IgnoreUnknown=1',
})

/** @throws Error when a plugin failed, with what it said */
const readJob = (line: string, stdout: string, job: Job | undefined): JobRun => {
  const [, nanoseconds, kib, status] = line.split(' ')
  if (status !== '0') throw new Error(`${job?.executable}: wait status ${status}\n${stdout}`)
  return { ms: Number(nanoseconds) / 1e6, peak: Number(kib) / 1024, stdout }
}

/** The lines of `text` and, where a line says how long what follows is, that much as one line. */
const readRun = (text: string, { jobs }: Orders): Run => {
  const runs: JobRun[] = []
  let at = text.indexOf('\n') + 1
  const ms = Number(text.slice(0, at).split(' ')[1]) / 1e6
  while (at < text.length) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end)
    const length = Number(line.split(' ')[4])
    runs.push(readJob(line, text.slice(end + 1, end + 1 + length), jobs[runs.length]))
    at = end + 1 + length + 1
  }
  return { ms, jobs: runs }
}

/** How long the jobs took and what they said. @throws Error when one of them failed */
export const drive = (orders: Orders): Run => {
  const mode = orders.together ? 'together' : 'chain'
  const argv = [...(orders.wrap ?? []), driver(), pathOf(orders.node), mode]
  const text = must(argv, { input: orders.jobs.map(lineOf).join(''), env: environmentOf(orders) })
  return readRun(`${text}\n`, orders)
}
