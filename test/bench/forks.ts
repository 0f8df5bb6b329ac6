/** Processes that plugins start, counted by strace. Threads are not processes. */
import { readFileSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'
import { add, type Conf, del } from './attachment.ts'
import { makePods, type Side, type Sides } from './bed.ts'

const CALLS = 'fork,vfork,clone,clone3,execve,execveat'

const isProcess = (line: string): boolean =>
  /\b(fork|vfork|clone|clone3)\(/.test(line) && !line.includes('CLONE_THREAD') && / = \d+$/.test(line)

/** Calls that began a process. A call that another thread interrupted in the record ends on a line of its own. */
const countProcesses = (trace: string): number => {
  const lines = trace.split('\n')
  const whole = lines.filter((line) => !line.includes('unfinished'))
  const begun = lines.filter((line) => /unfinished/.test(line) && /\b(v?fork|clone3?)\(/.test(line))
  return whole.filter(isProcess).length + begun.filter((line) => !line.includes('CLONE_THREAD')).length
}

const forksIn = (side: Side, plugins: readonly Conf[], pods: readonly string[]): number => {
  const file = `${makeFolder('bench-trace')}/${side.name}`
  const [warmUp = '', pod = ''] = pods
  const first = { side, pod: warmUp, plugins }
  del(first, add(first))
  const attachment = { side, pod, plugins }
  const added = add(attachment, ['strace', '-f', '-qq', '-o', file, '-e', `trace=${CALLS}`])
  del(attachment, added)
  return countProcesses(readFileSync(file, 'utf8')) - plugins.length
}

/** Processes beyond the plugins themselves that one ADD of the chain starts. */
export const forksOf = (sides: Sides, plugins: (side: Side) => readonly Conf[]) => ({
  podwire: forksIn(sides.podwire, plugins(sides.podwire), makePods(2)),
  reference: forksIn(sides.reference, plugins(sides.reference), makePods(2)),
})
