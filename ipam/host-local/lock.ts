/** Upstream's lock of a network: `flock` on the file `lock` in its directory. Held until the descriptor is closed, also by
 *  the kernel when the process is killed. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { CniError, ERR_TRY_AGAIN } from '../../cni/error.ts'
import { addon, LOCK_EX, LOCK_NB } from '../../native/addon.ts'
import { UPDATE } from './file.ts'

const EAGAIN = 11
/** Milliseconds between tries: doubled up to the second. Nothing is lost by a short first one: whoever holds the lock holds
 *  it for less. */
const FIRST_PAUSE = 0.25
const LONGEST_PAUSE = 16

const tryLock = (fd: number): boolean => {
  try {
    addon().flock(fd, LOCK_EX | LOCK_NB)
    return true
  } catch (error) {
    if (error instanceof Error && 'errno' in error && error.errno === EAGAIN) return false
    throw error
  }
}

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** The processes that hold a lock on the inode, from /proc/locks: `1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF`. */
const holdersOf = (inode: number): readonly string[] =>
  readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[1] === 'FLOCK' && words[5]?.endsWith(`:${inode}`))
    .map((words) => words[4] ?? '')

const refuse = (fd: number, path: string, patience: number): never => {
  const holders = holdersOf(fstatSync(fd).ino)
  throw new CniError(
    ERR_TRY_AGAIN,
    `the lock ${quote(path)} was not free within ${patience / 1000} s`,
    holders.length > 0 ? `held by process ${holders.join(', ')}` : 'its holders come and go: the node is very busy',
  )
}

const wait = (fd: number, path: string, patience: number): void => {
  const deadline = performance.now() + patience
  for (let ms = FIRST_PAUSE; !tryLock(fd); ms = Math.min(2 * ms, LONGEST_PAUSE)) {
    if (performance.now() > deadline) refuse(fd, path, patience)
    pause(ms)
  }
}

/** A descriptor that holds the lock `path`. @throws CniError 11 after `patience` milliseconds */
export const holdLock = (path: string, patience: number): number => {
  const fd = openSync(path, UPDATE, 0o600)
  try {
    wait(fd, path, patience)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
