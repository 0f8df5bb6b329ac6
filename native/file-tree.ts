/** Names in folders: listing, making, removing, renaming and linking, as in node:fs. */
import { AT_FDCWD, call, isNoEntry } from './file-call.ts'
import { constants, O_CLOEXEC } from './file-constants.ts'
import { closeSync } from './file-io.ts'
import { namesOf } from './file-records.ts'
import { statSync } from './file-stat.ts'

const AT_REMOVEDIR = 0x200
/** Room for names read at a time, in bytes. */
const NAMES_CHUNK = 65536
const MODE_FOLDER = 0o777
const text8 = new TextDecoder()

interface FolderOptions {
  readonly recursive?: boolean
  readonly mode?: number
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
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC
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

/** Whether `path` was made; false when the folder is there already. */
const madeFolder = (path: string, mode: number): boolean => {
  try {
    mkdir(path, mode)
    return true
  } catch (error) {
    if (isFolder(path)) return false
    throw error
  }
}

/** Makes `path` and what is missing above it. Returns the first folder made; undefined when all were there. Below a file
 *  system where no folder can be made (/proc) it fails, where Node tries for ever. */
const mkdirAll = (path: string, mode: number): string | undefined => {
  try {
    return madeFolder(path, mode) ? path : undefined
  } catch (error) {
    const end = path.replace(/\/+$/, '').lastIndexOf('/')
    if (end <= 0 || !isNoEntry(error)) throw error
    const first = mkdirAll(path.slice(0, end), mode)
    return madeFolder(path, mode) ? (first ?? path) : first
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
