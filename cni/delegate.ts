/** Delegation to the plugin of another type (SPEC.md §4): found in CNI_PATH like any, run in this process when what is
 *  found is this very executable, else executed with the same environment and stdin. */
import { statSync, writeSync } from 'node:fs'
import { DecodeError, quote } from '../addr/error.ts'
import { homeFolder } from '../native/addon.ts'
import { parseResult } from './decode.ts'
import type { Env } from './environment.ts'
import { CniError, ERR_CONFIG, ERR_DECODE, ERR_IO, ERR_VERSION } from './error.ts'
import type { Json, Verb } from './plugin.ts'
import type { Result } from './result.ts'
import { NEWEST, type Version } from './version.ts'

const EXECUTABLE = 0o111
/** An executable that is just being replaced is busy: 50 tries, 100 ms apart. */
const BUSY_TRIES = 50
const BUSY_PAUSE = 100

/** Device and inode of an executable file; undefined when `path` leads to none. */
const executableAt = (path: string): string | undefined => {
  try {
    const stat = statSync(path)
    return stat.isFile() && (stat.mode & EXECUTABLE) !== 0 ? `${stat.dev}:${stat.ino}` : undefined
  } catch {
    return undefined
  }
}

/** Whether a plugin found is this executable: by way of the launcher that links of plugins lead to, or itself. */
const isThisExecutable = (identity: string): boolean =>
  identity === executableAt(`${homeFolder()}/podwire-plugin`) || identity === executableAt('/proc/self/exe')

/** The first `type` in the folders of CNI_PATH. @throws CniError 7 */
export const findPlugin = (type: string, folders: readonly string[]): { path: string; isSelf: boolean } => {
  const name = type.includes('/') || type === '' ? undefined : type
  if (name === undefined) throw new CniError(ERR_CONFIG, `${quote(type)} is not the name of a plugin`)
  for (const folder of folders) {
    const path = `${folder}/${name}`
    const found = executableAt(path)
    if (found !== undefined) return { path, isSelf: isThisExecutable(found) }
  }
  throw new CniError(
    ERR_CONFIG,
    `no plugin ${quote(type)} in CNI_PATH`,
    `searched ${folders.map(quote).join(', ')}; install it there, or correct the type`,
  )
}

interface Ran {
  readonly status: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** @throws CniError 5 when it cannot be started */
const execute = (path: string, env: Env, input: string): Ran => {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const options = { env: { ...env }, input, encoding: 'utf8', maxBuffer: 1 << 26 } as const
  let ran = spawnSync(path, [], options)
  for (
    let i = 1;
    i < BUSY_TRIES && ran.error !== undefined && 'code' in ran.error && ran.error.code === 'ETXTBSY';
    i++
  ) {
    pause(BUSY_PAUSE)
    ran = spawnSync(path, [], options)
  }
  // an error beside a status or a signal is a pipe that the plugin did not read to its end
  if (ran.error !== undefined && ran.status === null && ran.signal === null)
    throw new CniError(ERR_IO, `cannot run ${quote(path)}`, ran.error.message, { cause: ran.error })
  return ran
}

const readJson = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

const fieldsOf = (json: Json | undefined): Readonly<Record<string, Json>> =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Record<string, Json>) : {}

/** The error a delegate printed, with its own code; 5 when it printed none. */
const errorOf = (path: string, { status, signal, stdout, stderr }: Ran): CniError => {
  const { code, msg, details } = fieldsOf(readJson(stdout))
  if (typeof code === 'number' && typeof msg === 'string')
    return new CniError(code, msg, typeof details === 'string' ? details : '')
  const said = (stdout.trim() || stderr.trim()).slice(0, 2000)
  const end = signal === null ? `status ${status}` : `signal ${signal}`
  return new CniError(ERR_IO, `${quote(path)} ended with ${end} and no error in JSON`, said)
}

const resultOf = (path: string, text: string, version: Version): Result => {
  const json = readJson(text)
  if (json === undefined) throw new CniError(ERR_DECODE, `${quote(path)} printed ${quote(text)}, which is not JSON`)
  try {
    return json === null ? {} : parseResult(json, version, '$')
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new CniError(ERR_DECODE, `${quote(path)} printed no result: ${error.message}`, text, { cause: error })
  }
}

/** @throws CniError 1 when VERSION's answer lacks `version` */
const requireSupport = (path: string, text: string, version: Version): void => {
  const { supportedVersions } = fieldsOf(readJson(text))
  if (Array.isArray(supportedVersions) && supportedVersions.includes(version)) return
  throw new CniError(ERR_VERSION, `${quote(path)} does not support cniVersion ${version}`, text.trim())
}

/** Executes a foreign plugin. Returns ADD's result; VERSION passes when the plugin supports `version`.
 *  @throws CniError the plugin's own, or 1, 5, 6 */
export const executePlugin = (
  path: string,
  verb: Verb,
  env: Env,
  stdin: string,
  version: Version,
): Result | undefined => {
  const input = verb === 'VERSION' ? JSON.stringify({ cniVersion: NEWEST }) : stdin
  const ran = execute(path, { ...env, CNI_COMMAND: verb }, input)
  if (ran.stderr !== '') writeSync(2, ran.stderr)
  if (ran.status !== 0) throw errorOf(path, ran)
  if (verb === 'VERSION') requireSupport(path, ran.stdout, version)
  return verb === 'ADD' ? resultOf(path, ran.stdout, version) : undefined
}
