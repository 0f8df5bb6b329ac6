/** What people see: tables on stdout, progress and errors on stderr. */
import type { CniError } from '../cni/error.ts'
import { failureOf } from '../cni/failure.ts'

const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
  (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))

/** Rows under a header, columns two spaces apart; '' when there are no rows. */
export const renderTable = (header: readonly string[], rows: readonly (readonly string[])[]): string => {
  if (rows.length === 0) return ''
  const all = [header, ...rows]
  const widths = widthsOf(all)
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')
  return `${all.map((row) => line(row).trimEnd()).join('\n')}\n`
}

/** `1 pod`, `2 pods`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`

/** A size in bytes as MB with one decimal. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** An error as an operator reads it: what was asked and found, then what to do, indented. */
export const renderError = ({ message, details, code }: CniError): string => {
  const more = details === '' ? '' : `\n${details.replaceAll(/^/gm, '  ')}`
  return `podwire: ${message}${code === 0 ? '' : ` (code ${code})`}${more}\n`
}

/** Ends a command that waited: says why on stderr, and sets exit status 1. */
export const giveUp = (error: unknown): void => {
  process.stderr.write(renderError(failureOf(error)))
  process.exitCode = 1
}

export interface Progress {
  /** Says what is being done now. */
  readonly step: (text: string) => void
  /** Takes the line away. */
  readonly done: () => void
}

/** Without a terminal nothing is said before this many milliseconds, and no more often. */
const QUIET_MS = 1000

const onTerminal = (): Progress => ({
  step: (text) => process.stderr.write(`\r\x1b[2K${text}`),
  done: () => process.stderr.write('\r\x1b[2K'),
})

const inLines = (): Progress => {
  let last = performance.now()
  const step = (text: string): void => {
    if (performance.now() - last < QUIET_MS) return
    last = performance.now()
    process.stderr.write(`${text}\n`)
  }
  return { step, done: () => undefined }
}

/** Progress on stderr: one line that is rewritten on a terminal, else a line a second. */
export const openProgress = (): Progress => (process.stderr.isTTY ? onTerminal() : inLines())
