/** The order between attachments that begin and garbage collection that does not come from the runtime. A runtime must not
 *  run GC beside ADD (SPEC.md §2 GC); `podwire gc` is no runtime and cannot know what one is about to do. So the first
 *  plugin of every chain holds this lock, shared, while it runs, and `podwire gc` holds it alone from before it reads what
 *  exists until the last plugin has collected: whatever ADD has begun has left its trace by then, and no other begins. */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { addon, LOCK_EX, LOCK_NB, LOCK_SH } from '../native/addon.ts'
import { CniError, ERR_TRY_AGAIN } from './error.ts'

const FOLDER = '/run/podwire'
const LOCK = `${FOLDER}/gc.lock`
/** Longest wait for the lock, and the pause between two tries, in ms. */
const PATIENCE = 10_000
const PAUSE = 5

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

const openLock = (): number => {
  try {
    return openSync(LOCK, 'a', 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    mkdirSync(FOLDER, { recursive: true, mode: 0o755 })
    return openSync(LOCK, 'a', 0o600)
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

/** Takes the lock. @throws CniError 11 when it is not to be had in time */
const take = (descriptor: number, operation: number, holder: string): void => {
  for (let waited = 0; isTaken(descriptor, operation); waited += PAUSE) {
    if (waited >= PATIENCE)
      throw new CniError(
        ERR_TRY_AGAIN,
        `${holder} has held ${LOCK} for ${PATIENCE / 1000} s`,
        'try again when it has ended',
      )
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
  }
}

/** Waits until no garbage collection runs and keeps the next one waiting until this process ends. Without access to /run
 *  (rootless) there is nothing to wait for. @throws CniError 11 */
export const holdOffGc = (): void => {
  let descriptor: number
  try {
    descriptor = openLock()
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return
    throw error
  }
  take(descriptor, LOCK_SH, 'podwire gc')
}

/** Runs `collect` while no attachment begins. @throws CniError 11 */
export const withGcLock = <T>(collect: () => T): T => {
  const descriptor = openLock()
  try {
    take(descriptor, LOCK_EX, 'an ADD, or another podwire gc,')
    return collect()
  } finally {
    closeSync(descriptor)
  }
}
