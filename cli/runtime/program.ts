/** Running a plugin as a program: found in CNI_PATH, environment and stdin in, stdout and a status out, as libcni's
 *  pkg/invoke does it. */
import { spawnSync } from 'node:child_process'
import { writeSync } from 'node:fs'
import { findPlugin } from '../../cni/delegate.ts'
import { CniError, ERR_DECODE, ERR_IO } from '../../cni/error.ts'
import type { Json, JsonObject, Verb } from '../../cni/plugin.ts'

/** One run of one plugin. */
export interface Run {
  readonly type: string
  readonly verb: Verb
  /** CNI_PATH, split. */
  readonly path: readonly string[]
  /** CNI_* besides CNI_COMMAND and CNI_PATH. */
  readonly environment: Readonly<Record<string, string>>
  readonly conf: JsonObject
}

/** What a run took, for `--timing`. */
export interface Timing {
  readonly type: string
  readonly verb: Verb
  /** Milliseconds from start to exit. */
  readonly ms: number
}

const BUSY_RETRIES = 5
const BUSY_PAUSE_MS = 1000
const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const spawn = (program: string, run: Run) => {
  const env = { ...process.env, ...run.environment, CNI_COMMAND: run.verb, CNI_PATH: run.path.join(':') }
  const options = { env, input: JSON.stringify(run.conf), encoding: 'utf8', maxBuffer: 64 << 20 } as const
  for (let retries = 0; ; retries++) {
    const output = spawnSync(program, [], options)
    const isBusy = output.error !== undefined && 'code' in output.error && output.error.code === 'ETXTBSY'
    if (!isBusy || retries === BUSY_RETRIES) return output
    pause(BUSY_PAUSE_MS) // somebody is writing the executable, as libcni waits for it
  }
}

const objectOf = (text: string): JsonObject | undefined => {
  try {
    const value: Json = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
  } catch {
    return undefined
  }
}

const failureOf = (what: string, ending: string, stdout: string, stderr: string): CniError => {
  const error = stdout.trim() === '' ? undefined : objectOf(stdout)
  const msg = error?.msg
  if (error === undefined || typeof msg !== 'string' || msg === '')
    return new CniError(ERR_IO, `${what} ${ending} and printed no error object`, `${stdout}${stderr}`.trim())
  return new CniError(Number(error.code ?? 0), `${what}: ${msg}`, String(error.details ?? ''))
}

/** Runs a plugin and returns what it printed, decoded; {} when it printed nothing. Its stderr is passed on.
 *  @throws CniError the plugin's own, or one that says how it ended */
export const runProgram = (run: Run, onTiming: (timing: Timing) => void = () => undefined): JsonObject => {
  const { path: program } = findPlugin(run.type, run.path)
  const start = performance.now()
  const { error, status, signal, stdout, stderr } = spawn(program, run)
  onTiming({ type: run.type, verb: run.verb, ms: performance.now() - start })
  const what = `${run.type} ${run.verb}`
  if (error !== undefined && status === null && signal === null)
    throw new CniError(ERR_IO, `${what}: ${program} cannot be run`, error.message, { cause: error })
  const ending = signal === null ? `left with status ${status}` : `was ended by ${signal}`
  if (status !== 0) throw failureOf(what, ending, stdout, stderr)
  if (stderr !== '') writeSync(2, stderr)
  const result = stdout.trim() === '' ? {} : objectOf(stdout)
  if (result === undefined) throw new CniError(ERR_DECODE, `${what} printed what is not JSON`, stdout.slice(0, 400))
  return result
}
