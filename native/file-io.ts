/** Opening, reading, writing and closing, as in node:fs. */
import { addon } from './addon.ts'
import { AT_FDCWD, call } from './file-call.ts'
import { constants, O_CLOEXEC } from './file-constants.ts'

/** First guess at a file's size, in bytes. */
const CHUNK = 8192
const MODE_FILE = 0o666

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
  for (let at = 0; at < bytes.length; at += CHUNK) text += charactersOf(bytes.subarray(at, at + CHUNK))
  return text
}

/** By `apply`, which takes typed arrays: spreading one costs 0.17 ms at its first use. */
const charactersOf = (bytes: Uint8Array): string =>
  Reflect.apply(String.fromCharCode, undefined, bytes as unknown as number[])

export function readFileSync(path: string | number): Uint8Array
export function readFileSync(path: string | number, encoding: Encoding): string
export function readFileSync(path: string | number, encoding?: Encoding): string | Uint8Array {
  if (encoding === undefined) return withFile(path, 'r', 0, readAll)
  const charset = typeof encoding === 'string' ? encoding : encoding.encoding
  if (typeof path === 'string') {
    const text = addon().readFile(path, charset === 'latin1')
    if (typeof text === 'string') return text
  }
  // of a descriptor; or refused, which is found and told again call by call
  const bytes = withFile(path, 'r', 0, readAll)
  return charset === 'latin1' ? latin1(bytes) : text8.decode(bytes)
}

export const writeFileSync = (
  path: string | number,
  data: string | Uint8Array,
  { flag = 'w', mode = MODE_FILE }: WriteOptions = {},
): void => {
  const isPlain = typeof path === 'string' && typeof data === 'string' && flag === 'w'
  if (isPlain && addon().writeFile(path, data, mode) === 0) return
  withFile(path, flag, mode, (fd) => writeAll(fd, data))
}

export const appendFileSync = (path: string | number, data: string | Uint8Array, options: WriteOptions = {}): void =>
  writeFileSync(path, data, { flag: 'a', ...options })

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
