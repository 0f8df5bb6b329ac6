/** Small files, read and written without following a symbolic link at their end. Errors are node:fs's. */
import { closeSync, constants, openSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants

/** How a file is opened: READ or EDIT an existing one, UPDATE one in place and make it when absent, CREATE one that must be
 *  absent, REPLACE what one holds. A FIFO put in a file's place never blocks. */
export const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
export const EDIT = O_RDWR | O_NOFOLLOW | O_NONBLOCK
export const UPDATE = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK
export const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
export const REPLACE = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK

/** Upstream's mode of a reservation. */
const MODE = 0o600

export const withFile = <T>(path: string, flags: number, use: (fd: number) => T): T => {
  const fd = openSync(path, flags, MODE)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

const utf8 = new TextEncoder()
const text8 = new TextDecoder()

/** Bytes from `position` into `buffer`, as many as there are. Returns how many. A file gives less than asked only at its
 *  end. */
export const readAt = (fd: number, buffer: Uint8Array, position: number): number =>
  readSync(fd, buffer, 0, buffer.length, position)

export const writeAt = (fd: number, bytes: Uint8Array, position: number): void => {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}

/** At most `limit` bytes of an open file from its start, as text. */
export const readText = (fd: number, limit: number): string => {
  const bytes = new Uint8Array(limit)
  return text8.decode(bytes.subarray(0, readAt(fd, bytes, 0)))
}

export const writeText = (fd: number, text: string): void => writeAt(fd, utf8.encode(text), 0)

export const isPresent = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

/** The code of a system error, such as `ENOENT`; '' for any other value. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** What `act` returns; undefined when it fails with one of `codes`. */
export const unless = <T>(codes: readonly string[], act: () => T): T | undefined => {
  try {
    return act()
  } catch (error) {
    if (codes.includes(codeOf(error))) return undefined
    throw error
  }
}

/** Removes the file; absent is fine. */
export const remove = (path: string): void => {
  unless(['ENOENT'], () => unlinkSync(path))
}
