/** The lock of a folder of leases: whoever writes holds it, so that what was read is still so when it is written. `flock` on
 *  the file `lock`; on NFS Linux makes it a lock at the server. The kernel frees it when the process ends. For root alone: who may open it may hold it. */
import { closeSync, openSync } from 'node:fs'
import { quote } from '../addr/error.ts'
import { addon, LOCK_EX, LOCK_NB } from '../native/addon.ts'
import { folderError } from './folder-error.ts'
import { StoreError } from './store-error.ts'

/** Longest wait, and the pause between two tries, in ms. Whoever holds it holds it for a few. */
const PATIENCE = 5000
const PAUSE = 2
const EAGAIN = 11

const isTaken = (fd: number): boolean => {
  try {
    addon().flock(fd, LOCK_EX | LOCK_NB)
    return false
  } catch (error) {
    if (error instanceof Error && 'errno' in error && error.errno === EAGAIN) return true
    throw error
  }
}

const take = (fd: number, path: string): void => {
  const deadline = performance.now() + PATIENCE
  while (isTaken(fd)) {
    if (performance.now() > deadline)
      throw new StoreError(`${quote(path)} was held by another process for ${PATIENCE / 1000} s: see fuser ${path}`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
  }
}

/** What `act` returns; it runs while this process alone holds the lock of `folder`, which must exist. @throws StoreError */
export const withFolderLock = <T>(folder: string, act: () => T): T => {
  const path = `${folder}/lock`
  let fd: number
  try {
    fd = openSync(path, 'a', 0o600)
  } catch (error) {
    throw folderError(path, 'lock', error)
  }
  try {
    take(fd, path)
    return act()
  } finally {
    closeSync(fd)
  }
}
