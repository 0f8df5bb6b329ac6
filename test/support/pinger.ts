/** A ping that goes on while something happens, and how many of its packets were lost. */
import { spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from './cleanup.ts'
import { inside } from './netns.ts'
import { waitFor } from './probe.ts'

export interface Loss {
  readonly sent: number
  readonly lost: number
}

const linesOf = (file: string): readonly string[] => readFileSync(file, 'utf8').split('\n')

const lossIn = (file: string): Loss => {
  const summary = linesOf(file).find((line) => line.includes('packets transmitted')) ?? ''
  const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(summary) ?? []
  return { sent: Number(sent), lost: Number(sent) - Number(received) }
}

/** Pings `to` from the namespace `from`, fifty times a second, from when the first answer came. Returns what ends it and
 *  counts; a packet whose answer is still on its way is waited for. @throws Error when no answer comes within 10 s */
export const startPing = (from: string, to: string): (() => Loss) => {
  const file = `${makeFolder('ping')}/out`
  const [program = '', ...args] = inside(from, ['ping', '-n', '-i', '0.02', '-W', '1', to])
  const out = openSync(file, 'w')
  const child = spawn(program, args, { stdio: ['ignore', out, out] })
  onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => existsSync(file) && linesOf(file).some((line) => line.includes('bytes from'))))
    throw new Error(`no answer from ${to}:\n${readFileSync(file, 'utf8')}`)
  return () => {
    child.kill('SIGINT')
    waitFor(() => linesOf(file).some((line) => line.includes('packets transmitted')))
    return lossIn(file)
  }
}
