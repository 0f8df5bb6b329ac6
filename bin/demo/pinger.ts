/** A ping that goes on while something happens, and how many of its packets were lost. */
import { spawn } from 'node:child_process'
import { pause } from './agent.ts'
import { within } from './command.ts'

/** Seconds between two packets. */
const INTERVAL = 0.01
/** The last packets are answered before the ping is ended. */
const GRACE_MS = 300

export interface Loss {
  readonly sent: number
  readonly lost: number
}

const lossIn = (summary: string): Loss => {
  const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(summary) ?? []
  return { sent: Number(sent), lost: Number(sent) - Number(received) }
}

export interface Pinger {
  /** Ends the ping. Returns the packets sent and lost; at most one was still on its way. */
  readonly end: () => Promise<Loss>
}

/** Starts to ping `to` from the namespace `from`, a hundred times a second. */
export const startPing = async (from: string, to: string): Promise<Pinger> => {
  const [file = '', ...args] = within(from, ['ping', '-n', '-q', '-i', String(INTERVAL), to])
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let summary = ''
  child.stdout.on('data', (text: Buffer) => {
    summary += text.toString()
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await pause(GRACE_MS)
  return {
    end: async () => {
      await pause(GRACE_MS)
      child.kill('SIGINT')
      await ended
      return lossIn(summary)
    },
  }
}
