/** A ping that goes on while something happens, and what of it was lost. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from './cleanup.ts'
import { inside } from './netns.ts'
import { waitFor } from './probe.ts'

export interface Loss {
  readonly sent: number
  readonly lost: number
  /** Milliseconds between the answers before and after the longest silence. */
  readonly longest: number
}

const ANSWER = /^\[(\d+\.\d+)\] .*bytes from/gm
const SUMMARY = /(\d+) packets transmitted, (\d+) received/

const lossIn = (text: string): Loss => {
  const [, sent = '0', received = '0'] = SUMMARY.exec(text) ?? []
  const times = [...text.matchAll(ANSWER)].map(([, time]) => Number(time) * 1000)
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time))
  return { sent: Number(sent), lost: Number(sent) - Number(received), longest: Math.round(Math.max(0, ...gaps)) }
}

export interface Pinger {
  /** Answers so far. */
  readonly answers: () => number
  /** Ends the ping, between an answer and the next packet when answers come. @throws Error when it cannot be ended */
  readonly end: () => Loss
}

export interface PingOptions {
  /** Name of the namespace it comes from, and the address; left out: one of the kernel's choice. */
  readonly netns: string
  readonly source?: string
  readonly to: string
  /** Seconds. */
  readonly interval: number
}

/** Starts a ping. Returns at once. */
export const openPinger = ({ netns, source, to, interval }: PingOptions): Pinger => {
  const path = `${makeFolder('ping')}/out`
  const from = source === undefined ? [] : ['-I', source]
  const [file = '', ...args] = inside(netns, ['ping', '-n', '-D', '-W', '1', '-i', String(interval), ...from, to])
  const out = openSync(path, 'a')
  const child = spawn(file, args, { stdio: ['ignore', out, out] })
  closeSync(out)
  const stop = onCleanup(() => child.kill('SIGKILL'))
  const text = (): string => readFileSync(path, 'utf8')
  const answers = (): number => text().match(ANSWER)?.length ?? 0
  const end = (): Loss => {
    const before = answers()
    waitFor(() => answers() > before, 2000)
    child.kill('SIGINT')
    const hasEnded = waitFor(() => SUMMARY.test(text()))
    stop()
    if (!hasEnded) throw new Error(`ping did not end:\n${text()}`)
    return lossIn(text())
  }
  return { answers, end }
}

/** Pings `to` from the namespace `from`, fifty times a second, from when the first answer came. Returns what ends it and
 *  counts. @throws Error when no answer comes within 10 s */
export const startPing = (from: string, to: string): (() => Loss) => {
  const { answers, end } = openPinger({ netns: from, to, interval: 0.02 })
  if (waitFor(() => answers() > 0)) return end
  end()
  throw new Error(`no answer from ${to} to ${from} in 10 s`)
}
