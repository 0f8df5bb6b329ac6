/** A ping that goes on while something is done, and which of its packets were lost. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { inside } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'

export interface Loss {
  readonly sent: number
  readonly lost: number
  /** Milliseconds between the answers before and after the longest silence. */
  readonly longest: number
}

const LINE = /^\[(\d+\.\d+)\] .*icmp_seq=\d+ ttl/gm
const SUMMARY = /(\d+) packets transmitted, (\d+) received/

const lossIn = (text: string): Loss => {
  const [, sent = '0', received = '0'] = SUMMARY.exec(text) ?? []
  const times = [...text.matchAll(LINE)].map(([, time]) => Number(time) * 1000)
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time))
  return { sent: Number(sent), lost: Number(sent) - Number(received), longest: Math.round(Math.max(0, ...gaps)) }
}

export interface Pinger {
  /** Answers so far. */
  readonly answers: () => number
  /** Ends the ping. A packet whose answer was on its way counts as lost. */
  readonly end: () => Loss
}

/** Pings `to` from the address `from` of the namespace `netns`, twenty times a second. */
export const startPing = (netns: string, from: string, to: string): Pinger => {
  const path = `${makeFolder('ping')}/out`
  const out = openSync(path, 'a')
  const [file = '', ...args] = inside(netns, ['ping', '-n', '-D', '-i', '0.05', '-I', from, to])
  const child = spawn(file, args, { stdio: ['ignore', out, out] })
  closeSync(out)
  const stop = onCleanup(() => child.kill('SIGKILL'))
  const text = (): string => readFileSync(path, 'utf8')
  const end = (): Loss => {
    child.kill('SIGINT')
    if (!waitFor(() => SUMMARY.test(text()))) throw new Error(`ping did not end:\n${text()}`)
    stop()
    return lossIn(text())
  }
  return { answers: () => text().match(LINE)?.length ?? 0, end }
}
