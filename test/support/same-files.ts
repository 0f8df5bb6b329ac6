/** `native/files.ts` and `node:fs` doing the same thing, each in a folder of its own. */
import * as real from 'node:fs'
import * as files from '../../native/files.ts'
import { makeFolder } from './cleanup.ts'

/** The part of node:fs that both sides of a comparison offer. */
export type Fs = typeof files
export type Use = (fs: Fs, folder: string) => unknown

/** What `use` returns, or what it throws, as data: the same whichever folder it ran in. */
const outcome = (fs: Fs, folder: string, use: Use): unknown => {
  const neutral = (text: string): string => text.replaceAll(folder, 'FOLDER')
  try {
    return { returned: use(fs, folder) }
  } catch (error) {
    const { message, code, errno, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
    return { message: neutral(message), code, errno, syscall, path: path && neutral(path), dest: dest && neutral(dest) }
  }
}

/** The outcome of `use` with `native/files.ts`, and with `node:fs`. */
export const outcomesOf = (use: Use): { readonly mine: unknown; readonly theirs: unknown } => ({
  mine: outcome(files, makeFolder('files'), use),
  theirs: outcome(real as unknown as Fs, makeFolder('files'), use),
})
