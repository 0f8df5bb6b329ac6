/** What keeps a folder of leases from being used, in words that say what to do. */
import { quote } from '../addr/error.ts'
import { StoreError } from './store-error.ts'

/** The code of a system error, such as `ENOENT`; '' for any other value. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there: make it, mount it, or name another folder',
  ENOTDIR: 'a part of the path is a file: name another folder',
  EACCES: 'permission is denied: run as root, or let this user in',
  EPERM: 'permission is denied: run as root, or let this user in',
  EROFS: 'the file system is read-only: mount it writable, or write this lease there from where that can be done',
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the quota is used up: make room',
  ESTALE: 'the file server lost it: mount it again',
  ELOOP: 'its symbolic links lead in a circle: put the file itself there',
}

/** The error for what `error` of node:fs kept from being done to `path`. */
export const folderError = (path: string, act: 'read' | 'write' | 'make' | 'lock', error: unknown): StoreError => {
  if (error instanceof StoreError) return error
  const why = ADVICE[codeOf(error)] ?? (error instanceof Error ? error.message : String(error))
  return new StoreError(`cannot ${act} ${quote(path)}: ${why}`, { cause: error })
}
