/** A folder held for the time of a change: locked against a second `install`, with a staging folder inside it, so that
 *  whatever is written there can be renamed into place. */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CniError, ERR_TRY_AGAIN } from '../../cni/error.ts'
import { addon, LOCK_EX, LOCK_NB } from '../../native/addon.ts'
import { EAGAIN } from '../../netlink/error.ts'

/** What an interrupted `install` leaves; the next one removes it. */
const STAGE = '.podwire-stage'

const isHeld = (error: unknown): boolean => error instanceof Error && 'errno' in error && error.errno === EAGAIN

const lock = (descriptor: number, folder: string): void => {
  try {
    addon().flock(descriptor, LOCK_EX | LOCK_NB)
  } catch (error) {
    if (!isHeld(error)) throw error
    throw new CniError(ERR_TRY_AGAIN, `another podwire is changing ${folder}`, 'run this again when it is done', {
      cause: error,
    })
  }
}

/** Runs `change` with the path of an empty staging folder in `folder`, which is created when it is missing.
 *  @throws CniError 11 when another process holds the folder; Error (file system) */
export const withFolder = (folder: string, change: (stage: string) => void): void => {
  mkdirSync(folder, { recursive: true })
  const descriptor = openSync(folder, 'r')
  const stage = join(folder, STAGE)
  try {
    lock(descriptor, folder)
    rmSync(stage, { recursive: true, force: true })
    mkdirSync(stage)
    change(stage)
  } finally {
    rmSync(stage, { recursive: true, force: true })
    closeSync(descriptor)
  }
}
