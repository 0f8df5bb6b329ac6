/** The synchronous part of `node:fs` that plugins use, by system calls through the addon. The build puts this module in the
 *  place of `node:fs` for the code that runs in each exec (bin/bundle.ts), where loading node:fs costs 1 ms and 6 MiB
 *  (measured); under Node, and in the command line, the real one is used. Names, arguments, results and errors are those
 *  of Node 20's documentation; what no plugin uses is not here, and a build that needs it fails. */
import { call } from './file-call.ts'
import { constants, O_CLOEXEC } from './file-constants.ts'
import {
  type BigIntStats,
  bigStatOf,
  namesOf,
  STATFS_SIZE,
  STATX_SIZE,
  type StatFs,
  type Stats,
  statfsOf,
  statOf,
} from './file-records.ts'

export { constants }

const AT_FDCWD = -100
const AT_REMOVEDIR = 0x200
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff
/** First guess at a file's size, and the room for names read at a time, in bytes. */
const CHUNK = 8192
const NAMES_CHUNK = 65536
const MODE_FILE = 0o666
const MODE_FOLDER = 0o777

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants
const FLAGS = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
  'a+': O_RDWR | O_CREAT | O_APPEND,
  ax: O_WRONLY | O_CREAT | O_APPEND | O_EXCL,
  'ax+': O_RDWR | O_CREAT | O_APPEND | O_EXCL,
} as const
type Flags = number | keyof typeof FLAGS

interface WriteOptions {
  readonly flag?: Flags
  readonly mode?: number
}
interface FolderOptions {
  readonly recursive?: boolean
  readonly mode?: number
}
interface StatOptions {
  readonly throwIfNoEntry?: boolean
}
interface BigOptions {
  readonly bigint: true
}
type Charset = 'utf8' | 'utf-8' | 'latin1'
type Encoding = Charset | { readonly encoding: Charset }

const utf8 = new TextEncoder()
const text8 = new TextDecoder()
const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? utf8.encode(data) : data)

export const openSync = (path: string, flags: Flags = 'r', mode = MODE_FILE): number => {
  const number = typeof flags === 'number' ? flags : FLAGS[flags]
  return call('open', { syscall: 'open', path }, AT_FDCWD, path, number | O_CLOEXEC, mode)
}

export const closeSync = (fd: number): void => {
  call('close', { syscall: 'close' }, fd)
}

export const readSync = (
  fd: number,
  buffer: Uint8Array,
  offset = 0,
  length = buffer.byteLength - offset,
  position: number | null = null,
): number => {
  const into = buffer.subarray(offset, offset + length)
  const subject = { syscall: 'read' }
  return position === null
    ? call('read', subject, fd, into, into.length)
    : call('pread', subject, fd, into, into.length, position)
}

export function writeSync(fd: number, text: string): number
export function writeSync(
  fd: number,
  bytes: Uint8Array,
  offset?: number,
  length?: number,
  position?: number | null,
): number
export function writeSync(
  fd: number,
  data: string | Uint8Array,
  offset = 0,
  length?: number,
  position: number | null = null,
): number {
  const bytes = bytesOf(data)
  const from = bytes.subarray(offset, offset + (length ?? bytes.length - offset))
  const subject = { syscall: 'write' }
  return position === null
    ? call('write', subject, fd, from, from.length)
    : call('pwrite', subject, fd, from, from.length, position)
}

/** What `use` returns of the file at `path`, open while it runs. */
const withFile = <T>(path: string | number, flags: Flags, mode: number, use: (fd: number) => T): T => {
  if (typeof path === 'number') return use(path)
  const fd = openSync(path, flags, mode)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

const readAll = (fd: number): Uint8Array => {
  let bytes = new Uint8Array(CHUNK)
  for (let length = 0; ; ) {
    const count = readSync(fd, bytes, length)
    if (count === 0) return bytes.subarray(0, length)
    length += count
    if (length < bytes.length) continue
    const larger = new Uint8Array(bytes.length * 2)
    larger.set(bytes)
    bytes = larger
  }
}

const writeAll = (fd: number, data: string | Uint8Array): void => {
  const bytes = bytesOf(data)
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}

/** One character for each byte: not WHATWG's "latin1", which is windows-1252. */
const latin1 = (bytes: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  return text
}

export function readFileSync(path: string | number): Uint8Array
export function readFileSync(path: string | number, encoding: Encoding): string
export function readFileSync(path: string | number, encoding?: Encoding): string | Uint8Array {
  const bytes = withFile(path, 'r', 0, readAll)
  if (encoding === undefined) return bytes
  const charset = typeof encoding === 'string' ? encoding : encoding.encoding
  return charset === 'latin1' ? latin1(bytes) : text8.decode(bytes)
}

export const writeFileSync = (
  path: string | number,
  data: string | Uint8Array,
  { flag = 'w', mode = MODE_FILE }: WriteOptions = {},
): void => withFile(path, flag, mode, (fd) => writeAll(fd, data))

export const appendFileSync = (path: string | number, data: string | Uint8Array, options: WriteOptions = {}): void =>
  writeFileSync(path, data, { flag: 'a', ...options })

const statx = (syscall: string, fd: number, path: string, flags: number): Uint8Array => {
  const record = new Uint8Array(STATX_SIZE)
  const subject = flags === AT_EMPTY_PATH ? { syscall } : { syscall, path }
  call('statx', subject, fd, path, flags, STATX_BASIC_STATS, record)
  return record
}

/** Whether `error` says that there is nothing at a path. */
const isNoEntry = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

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

const readNames = (fd: number, path: string): string[] => {
  const buffer = new Uint8Array(NAMES_CHUNK)
  const names: string[] = []
  for (;;) {
    const length = call('scandir', { syscall: 'scandir', path }, fd, buffer, buffer.length)
    if (length === 0) return names.sort()
    names.push(...namesOf(buffer.subarray(0, length)))
  }
}

/** Names alone, sorted. */
export const readdirSync = (path: string): string[] => {
  const flags = O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC
  const fd = call('open', { syscall: 'scandir', path }, AT_FDCWD, path, flags, 0)
  try {
    return readNames(fd, path)
  } finally {
    closeSync(fd)
  }
}

const mkdir = (path: string, mode: number): void => {
  call('mkdir', { syscall: 'mkdir', path }, AT_FDCWD, path, mode)
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** Makes `path` and what is missing above it. Returns the first folder made; undefined when all were there. */
const mkdirAll = (path: string, mode: number): string | undefined => {
  try {
    mkdir(path, mode)
    return path
  } catch (error) {
    if (isFolder(path)) return undefined
    const end = path.replace(/\/+$/, '').lastIndexOf('/')
    if (end <= 0 || !isNoEntry(error)) throw error
    const first = mkdirAll(path.slice(0, end), mode)
    return mkdirAll(path, mode) === undefined ? first : (first ?? path)
  }
}

export const mkdirSync = (
  path: string,
  { recursive = false, mode = MODE_FOLDER }: FolderOptions = {},
): string | undefined => {
  if (recursive) return mkdirAll(path, mode)
  mkdir(path, mode)
  return undefined
}

export const unlinkSync = (path: string): void => {
  call('unlink', { syscall: 'unlink', path }, AT_FDCWD, path, 0)
}

export const rmdirSync = (path: string): void => {
  call('unlink', { syscall: 'rmdir', path }, AT_FDCWD, path, AT_REMOVEDIR)
}

/** Removes a file; with `force` absent is success. Not for folders: nothing that runs as root in each exec removes trees. */
export const rmSync = (path: string, { force = false }: { readonly force?: boolean } = {}): void => {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!force || !isNoEntry(error)) throw error
  }
}

export const renameSync = (path: string, dest: string): void => {
  call('rename', { syscall: 'rename', path, dest }, AT_FDCWD, path, AT_FDCWD, dest, 0)
}

export const linkSync = (path: string, dest: string): void => {
  call('link', { syscall: 'link', path, dest }, AT_FDCWD, path, AT_FDCWD, dest, 0)
}

export const symlinkSync = (path: string, dest: string): void => {
  call('symlink', { syscall: 'symlink', path, dest }, path, AT_FDCWD, dest)
}

export const readlinkSync = (path: string): string => {
  const buffer = new Uint8Array(4096)
  const length = call('readlink', { syscall: 'readlink', path }, AT_FDCWD, path, buffer, buffer.length)
  return text8.decode(buffer.subarray(0, length))
}

export const fsyncSync = (fd: number): void => {
  call('fsync', { syscall: 'fsync' }, fd)
}

export const ftruncateSync = (fd: number, length = 0): void => {
  call('ftruncate', { syscall: 'ftruncate' }, fd, length)
}

export const fchmodSync = (fd: number, mode: number): void => {
  call('fchmod', { syscall: 'fchmod' }, fd, mode)
}

const NANO = 1_000_000_000n

/** Sets the times of the open file; both in seconds, of which Node keeps microseconds. */
export const futimesSync = (fd: number, atime: number, mtime: number): void => {
  const times = new BigInt64Array(4)
  for (const [i, time] of [atime, mtime].entries()) {
    const nanoseconds = BigInt(Math.floor(time * 1e6)) * 1000n
    times[2 * i] = nanoseconds / NANO
    times[2 * i + 1] = nanoseconds % NANO
  }
  call('utimensat', { syscall: 'futime' }, fd, 0, new Uint8Array(times.buffer), 0)
}
