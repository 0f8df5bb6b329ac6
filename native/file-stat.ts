/** What is at a path or behind a descriptor, as in node:fs. */
import { AT_FDCWD, call, isNoEntry } from './file-call.ts'
import { constants } from './file-constants.ts'
import {
  type BigIntStats,
  bigStatOf,
  STATFS_SIZE,
  STATX_SIZE,
  type StatFs,
  type Stats,
  statfsOf,
  statOf,
} from './file-records.ts'

const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff

interface StatOptions {
  readonly throwIfNoEntry?: boolean
}
interface BigOptions {
  readonly bigint: true
}
const statx = (syscall: string, fd: number, path: string, flags: number): Uint8Array => {
  const record = new Uint8Array(STATX_SIZE)
  const subject = flags === AT_EMPTY_PATH ? { syscall } : { syscall, path }
  call('statx', subject, fd, path, flags, STATX_BASIC_STATS, record)
  return record
}

const orUndefined = (stat: () => Stats, { throwIfNoEntry = true }: StatOptions): Stats | undefined => {
  try {
    return stat()
  } catch (error) {
    if (throwIfNoEntry || !isNoEntry(error)) throw error
    return undefined
  }
}

export function statSync(path: string): Stats
export function statSync(path: string, options: BigOptions): BigIntStats
export function statSync(path: string, options: StatOptions): Stats | undefined
export function statSync(path: string, options: StatOptions | BigOptions = {}): Stats | BigIntStats | undefined {
  if ('bigint' in options) return bigStatOf(statx('stat', AT_FDCWD, path, 0))
  return orUndefined(() => statOf(statx('stat', AT_FDCWD, path, 0)), options)
}

export function lstatSync(path: string): Stats
export function lstatSync(path: string, options: StatOptions): Stats | undefined
export function lstatSync(path: string, options: StatOptions = {}): Stats | undefined {
  return orUndefined(() => statOf(statx('lstat', AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)), options)
}

export function fstatSync(fd: number): Stats
export function fstatSync(fd: number, options: BigOptions): BigIntStats
export function fstatSync(fd: number, options?: BigOptions): Stats | BigIntStats {
  const record = statx('fstat', fd, '', AT_EMPTY_PATH)
  return options === undefined ? statOf(record) : bigStatOf(record)
}

export const statfsSync = (path: string): StatFs => {
  const record = new Uint8Array(STATFS_SIZE)
  call('statfs', { syscall: 'statfs', path }, path, record)
  return statfsOf(record)
}

export const accessSync = (path: string, mode = constants.F_OK as number): void => {
  call('access', { syscall: 'access', path }, AT_FDCWD, path, mode)
}

export const existsSync = (path: string): boolean => {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}
