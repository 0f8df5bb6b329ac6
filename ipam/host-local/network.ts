/** The directory of one network, held by upstream's lock, so that both implementations may use it at the same time. */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { CniError, ERR_CONFIG, ERR_IO, ERR_TRY_AGAIN } from '../../cni/error.ts'
import { codeOf, isPresent, unless } from './file.ts'
import { holdLock } from './lock.ts'
import type { Machine } from './machine.ts'

/** Where a network's reservations are. */
export interface Place {
  readonly dataDir: string
  readonly name: string
}

export interface Network {
  readonly folder: string
  /** Of `folder`. */
  readonly fd: number
  /** The folder of our index: outside `folder`, of which upstream reads every file. */
  readonly index: string
  readonly machine: Machine
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** @throws CniError 7 for a name that could lead to another directory */
export const folderOf = ({ dataDir, name }: Place): string => {
  if (NAME.test(name)) return `${dataDir}/${name}`
  throw new CniError(
    ERR_CONFIG,
    `the network name ${quote(name)} is not a letter or digit followed by letters, digits, '_', '.', '-'`,
  )
}

/** Whether the folder exists; symbolic links are not followed. @throws CniError 5 when something else is in its place */
export const isFolder = (path: string): boolean => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || stat.isDirectory()) return stat !== undefined
  throw new CniError(
    ERR_IO,
    `${quote(path)} is ${stat.isSymbolicLink() ? 'a symbolic link' : 'no directory'}, where podwire needs a directory`,
    'symbolic links are not followed here: move it away, or set another $.ipam.dataDir',
  )
}

/** Makes the folder and what is missing above it. (Node's own way of doing that never ends below /proc.)
 *  @throws CniError 5 when something else is in its place */
export const makeFolder = (path: string): void => {
  if (isFolder(path)) return
  const end = path.lastIndexOf('/')
  if (end > 0 && !isPresent(path.slice(0, end))) makeFolder(path.slice(0, end))
  unless(['EEXIST'], () => mkdirSync(path, { mode: 0o755 }))
  isFolder(path)
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** A descriptor of the folder; undefined when there is none. @throws CniError 5 when something else is in its place */
const openFolder = (path: string): number | undefined => {
  try {
    return openSync(path, DIRECTORY)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || !isFolder(path)) return undefined // not there then, whatever is there now
    throw error
  }
}

/** Whether it is still where it was opened: someone may have removed it while we waited for the lock. */
const isLinked = (fd: number): boolean => fstatSync(fd).nlink > 0

/** What `act` returns; the descriptor is closed. */
const closing = <T>(fd: number, act: () => T): T => {
  try {
    return act()
  } finally {
    closeSync(fd)
  }
}

interface Done<T> {
  readonly value: T
}

/** Undefined when the folder was removed on the way. */
const useOnce = <T>(place: Place, machine: Machine, use: (network: Network) => T): Done<T> | undefined => {
  const folder = folderOf(place)
  const fd = openFolder(folder)
  if (fd === undefined) return undefined
  return closing(fd, () => {
    const lock = unless(['ENOENT'], () => holdLock(`${folder}/lock`, machine.patience))
    if (lock === undefined) return undefined
    return closing(lock, () => {
      if (!isLinked(fd) || !isLinked(lock)) return undefined
      return { value: use({ folder, fd, index: `${place.dataDir}/.podwire/${place.name}`, machine }) }
    })
  })
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'podwire must run as root there',
  EPERM: 'podwire must run as root there, and no file may be immutable (lsattr)',
  EROFS: 'the file system is mounted read-only: remount it, or set another $.ipam.dataDir',
  ENOSPC: 'no room is left on the file system, or no inode (df, df -i)',
  EDQUOT: 'the quota is used up',
}

/** An error of the operating system with the folder it is about. */
const located = (folder: string, error: unknown): unknown => {
  if (!(error instanceof Error && 'syscall' in error)) return error
  const hint = HINTS[codeOf(error)] ?? ''
  return new CniError(ERR_IO, `the reservations in ${quote(folder)} cannot be used: ${error.message}`, hint, {
    cause: error,
  })
}

const TRIES = 10

const useExisting = <T>(place: Place, machine: Machine, use: (network: Network) => T, make: boolean): T | undefined => {
  const folder = folderOf(place)
  for (let i = 0; i < TRIES; i++) {
    const done = useOnce(place, machine, use)
    if (done !== undefined) return done.value
    if (make) makeFolder(folder)
    else if (!isFolder(folder)) return undefined
  }
  throw new CniError(
    ERR_TRY_AGAIN,
    `${quote(folder)} was removed while it was being used`,
    'something else cleans it up',
  )
}

/** What `use` returns for the network's directory, which is locked meanwhile; undefined when there is no such directory
 *  and it is not to be made. @throws CniError 5, 7, 11 */
export const withNetwork = <T>(
  place: Place,
  machine: Machine,
  use: (network: Network) => T,
  { make }: { readonly make: boolean },
): T | undefined => {
  try {
    return useExisting(place, machine, use, make)
  } catch (error) {
    throw located(folderOf(place), error)
  }
}
