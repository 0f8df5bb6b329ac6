/** The order between attachments that begin and garbage collection that does not come from the runtime. A runtime must not
 *  run GC beside ADD (SPEC.md §2 GC); `podwire gc` is no runtime and cannot know what one is about to do. So the first
 *  plugin of every chain holds this lock, shared, while it runs, and `podwire gc` holds it alone from before it reads what
 *  exists until the last plugin has collected: whatever ADD has begun has left its trace by then, and no other begins. */
import { closeSync } from 'node:fs'
import { LOCK_EX, LOCK_SH } from '../native/addon.ts'
import { openLock, takeLock } from './run-lock.ts'

const LOCK = 'gc'

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** Waits until no garbage collection runs and keeps the next one waiting until this process ends. Without access to /run
 *  (rootless) there is nothing to wait for. @throws CniError 11 */
export const holdOffGc = (): void => {
  let descriptor: number
  try {
    descriptor = openLock(LOCK)
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return
    throw error
  }
  takeLock(LOCK, descriptor, LOCK_SH, 'podwire gc')
}

/** Runs `collect` while no attachment begins. @throws CniError 11 */
export const withGcLock = <T>(collect: () => T): T => {
  const descriptor = openLock(LOCK)
  try {
    takeLock(LOCK, descriptor, LOCK_EX, 'an ADD, or another podwire gc,')
    return collect()
  } finally {
    closeSync(descriptor)
  }
}
