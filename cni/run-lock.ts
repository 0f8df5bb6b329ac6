/** Locks of this node, in `/run/podwire`: files that flock is on. */
import { mkdirSync, openSync } from 'node:fs'
import { addon, LOCK_NB } from '../native/addon.ts'
import { CniError, ERR_TRY_AGAIN } from './error.ts'

const FOLDER = '/run/podwire'
/** Longest wait for a lock, and the pause between two tries, in ms. */
const PATIENCE = 10_000
const PAUSE = 5

const pathOf = (name: string): string => `${FOLDER}/${name}.lock`

/** Opens the lock `name`, which is made where it is missing. Closing the descriptor lets it go. @throws as node:fs */
export const openLock = (name: string): number => {
  try {
    return openSync(pathOf(name), 'a', 0o600)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    mkdirSync(FOLDER, { recursive: true, mode: 0o755 })
    return openSync(pathOf(name), 'a', 0o600)
  }
}

const isTaken = (descriptor: number, operation: number): boolean => {
  try {
    addon().flock(descriptor, operation | LOCK_NB)
    return false
  } catch {
    return true
  }
}

/** Takes the lock `name`, waiting for `holder`, who has it. @throws CniError 11 when it is not to be had in time */
export const takeLock = (name: string, descriptor: number, operation: number, holder: string): void => {
  for (let waited = 0; isTaken(descriptor, operation); waited += PAUSE) {
    if (waited >= PATIENCE)
      throw new CniError(
        ERR_TRY_AGAIN,
        `${holder} has held ${pathOf(name)} for ${PATIENCE / 1000} s`,
        'try again when it has ended',
      )
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
  }
}
