/** What a running process takes, as /proc says. */
import { readFileSync } from 'node:fs'

const memoryOf = (pid: number, what: 'VmRSS' | 'VmHWM'): number => {
  const kib = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

/** MiB of memory in RAM: now, and at most so far. */
export const rssOf = (pid: number): number => memoryOf(pid, 'VmRSS')
export const peakOf = (pid: number): number => memoryOf(pid, 'VmHWM')

/** _SC_CLK_TCK of every Linux podwire runs on. */
const TICKS_PER_SECOND = 100

/** Seconds of processor time so far, all threads, in user and kernel mode (proc(5), fields 14 and 15 of stat). */
export const cpuSecondsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
