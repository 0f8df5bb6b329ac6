/** Files that a reader finds whole or not at all. */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { codeOf, folderError } from './folder-error.ts'

const MODE = 0o644
const DRAFT = '.draft-'
let drafts = 0

export const isDraft = (name: string): boolean => name.startsWith(DRAFT)

/** A path that no other process and no earlier draft has, and that no reader takes for a lease. */
const draftPath = (folder: string): string => `${folder}/${DRAFT}${process.pid}-${Date.now()}-${drafts++}`

const writeWhole = (path: string, text: string): void => {
  const fd = openSync(path, 'wx', MODE)
  try {
    const bytes = new TextEncoder().encode(text)
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const unlink = (path: string): void => {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** What `use` returns of a flushed draft that holds `text`; the draft is removed if it is still there. */
const withDraft = <T>(folder: string, text: string, use: (draft: string) => T): T => {
  const draft = draftPath(folder)
  try {
    writeWhole(draft, text)
    return use(draft)
  } finally {
    unlink(draft)
  }
}

/** Why a link cannot be made where a file can: a file system without links (FAT, some of FUSE). */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']

/** link(2) is exclusive on every file system that has it, NFS too. */
const publish = (draft: string, path: string, text: string): void => {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!NO_LINKS.includes(codeOf(error))) throw error
    writeWhole(path, text)
  }
}

/** Makes `path` hold `text`. False when there is a file already. @throws StoreError */
export const linkFile = (folder: string, path: string, text: string): boolean => {
  try {
    withDraft(folder, text, (draft) => publish(draft, path, text))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw folderError(path, 'write', error)
  }
}

/** Makes `path` hold `text`, whatever it held. @throws StoreError */
export const replaceFile = (folder: string, path: string, text: string): void => {
  try {
    withDraft(folder, text, (draft) => renameSync(draft, path))
  } catch (error) {
    throw folderError(path, 'write', error)
  }
}

/** @throws StoreError; absent is fine */
export const removeFile = (path: string): void => {
  try {
    unlink(path)
  } catch (error) {
    throw folderError(path, 'write', error)
  }
}
