/** One agent a node: a lock on `agent.lock` in the run directory, which the kernel releases however the agent ends. */
import { closeSync, fchmodSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import { addon, LOCK_EX, LOCK_NB } from '../native/addon.ts'

const EWOULDBLOCK = 11

const isHeld = (error: unknown): boolean => error instanceof Error && 'errno' in error && error.errno === EWOULDBLOCK

const lockFile = (runDir: string): string => `${runDir}/agent.lock`

const taken = (runDir: string): CniError => {
  const pid = readFileSync(lockFile(runDir), 'utf8').trim()
  return new CniError(
    ERR_CONFLICT,
    `another agent runs on this node, with process id ${pid === '' ? 'unknown' : pid}: it holds ${lockFile(runDir)}`,
    'stop it first: one agent keeps the one overlay of a node, whose rules and links have the same names for every agent',
  )
}

/** Whoever may read a file may lock it. */
const MODE = 0o600

/** Takes the lock and writes this process's id into it. Returns what releases it. @throws CniError 103 naming the holder */
export const takeLock = (runDir: string): (() => void) => {
  mkdirSync(runDir, { recursive: true })
  const fd = openSync(lockFile(runDir), 'a+', MODE)
  try {
    fchmodSync(fd, MODE)
    addon().flock(fd, LOCK_EX | LOCK_NB)
  } catch (error) {
    closeSync(fd)
    throw isHeld(error) ? taken(runDir) : error
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return () => closeSync(fd)
}
