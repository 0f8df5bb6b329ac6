/** One system call on files, failing as node:fs fails. */
import { addon } from './addon.ts'

/** Paths that do not begin with a slash begin in the working directory. linux/fcntl.h. */
export const AT_FDCWD = -100

/** errno values that file operations answer with, as libuv words them. asm-generic/errno-base.h, errno.h. */
const ERRORS: Readonly<Record<number, readonly [code: string, text: string]>> = {
  1: ['EPERM', 'operation not permitted'],
  2: ['ENOENT', 'no such file or directory'],
  5: ['EIO', 'i/o error'],
  6: ['ENXIO', 'no such device or address'],
  9: ['EBADF', 'bad file descriptor'],
  11: ['EAGAIN', 'resource temporarily unavailable'],
  12: ['ENOMEM', 'not enough memory'],
  13: ['EACCES', 'permission denied'],
  14: ['EFAULT', 'bad address in system call argument'],
  16: ['EBUSY', 'resource busy or locked'],
  17: ['EEXIST', 'file already exists'],
  18: ['EXDEV', 'cross-device link not permitted'],
  19: ['ENODEV', 'no such device'],
  20: ['ENOTDIR', 'not a directory'],
  21: ['EISDIR', 'illegal operation on a directory'],
  22: ['EINVAL', 'invalid argument'],
  23: ['ENFILE', 'file table overflow'],
  24: ['EMFILE', 'too many open files'],
  26: ['ETXTBSY', 'text file is busy'],
  27: ['EFBIG', 'file too large'],
  28: ['ENOSPC', 'no space left on device'],
  30: ['EROFS', 'read-only file system'],
  31: ['EMLINK', 'too many links'],
  32: ['EPIPE', 'broken pipe'],
  34: ['ERANGE', 'result too large'],
  36: ['ENAMETOOLONG', 'name too long'],
  39: ['ENOTEMPTY', 'directory not empty'],
  40: ['ELOOP', 'too many symbolic links encountered'],
  95: ['EOPNOTSUPP', 'operation not supported on socket'],
  122: ['EDQUOT', 'disk quota exceeded'],
}

/** What a call is about: the name node:fs gives it in errors, and its path; '' for one on a descriptor. */
export interface Subject {
  readonly syscall: string
  readonly path?: string
  readonly dest?: string
}

/** The error node:fs throws for `errno` (positive): `code`, `errno` (negative), `syscall`, `path`, `dest`. */
const fileError = (errno: number, subject: Subject): Error => {
  const [code, text] = ERRORS[errno] ?? [`E${errno}`, 'unknown error']
  const { syscall, path, dest } = subject
  const where = `${path === undefined ? '' : ` '${path}'`}${dest === undefined ? '' : ` -> '${dest}'`}`
  return Object.assign(new Error(`${code}: ${text}, ${syscall}${where}`), { errno: -errno, code, ...subject })
}

/** A path cannot hold a NUL; as a C string it would end there. */
const refuseNul = (path: string): void => {
  if (!path.includes('\0')) return
  const message = `The argument 'path' must be a string without null bytes. Received ${JSON.stringify(path)}`
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

/** The result of the system call `name` (of `addon().numbers`). Interrupted ones are called again. @throws as node:fs */
export const call = (name: string, subject: Subject, ...args: readonly (number | string | Uint8Array)[]): number => {
  if (subject.path !== undefined) refuseNul(subject.path)
  if (subject.dest !== undefined) refuseNul(subject.dest)
  const { syscall, numbers } = addon()
  const number = numbers[name]
  if (number === undefined) throw new TypeError(`the addon knows no system call ${name}`)
  const answer = syscall(number, ...args)
  if (answer < 0) throw fileError(-answer, subject)
  return answer
}

/** Whether `error` says that there is nothing at a path. */
export const isNoEntry = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
