/** The agent's log, on stderr: a JSON object a line (pino), or the same for people. Every line is something an operator can
 *  act on or will want to know later; nothing is logged for each peer of a large change, and no secret ever. */
import { writeSync } from 'node:fs'
import type { Logger } from 'pino'
import type { Options } from './options.ts'

export type Log = Logger

const STDERR = 2

/** `12:00:01 warn  the store cannot be read: ... (retry in 2 s)`. */
const asText = (line: string): string => {
  const { time, level, msg, ...rest } = JSON.parse(line) as Readonly<Record<string, unknown>>
  const more = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return `${[String(time).slice(11, 19), String(level).padEnd(5), msg, ...more].join(' ')}\n`
}

/** stderr may be a pipe whose reader is gone or slow: a line is lost rather than the data path. */
const write = (text: string): void => {
  try {
    writeSync(STDERR, text)
  } catch {
    // nobody reads
  }
}

export const openLog = async ({ logLevel, logFormat }: Pick<Options, 'logLevel' | 'logFormat'>): Promise<Log> => {
  const { pino } = await import('pino')
  return pino(
    {
      level: logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line: string) => write(logFormat === 'text' ? asText(line) : line) },
  )
}

/** What went wrong, in one line. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
