/** What `install` would do to a folder, decided by looking only. */
import { lstatSync, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { CniError, ERR_IO } from '../../cni/error.ts'
import { megabytes } from '../screen.ts'
import { FILES, type FileName, LAUNCHER, sourceFolder } from './source.ts'

export type Step =
  | {
      readonly kind: 'file'
      readonly name: FileName
      readonly source: string
      readonly action: string
      readonly note: string
    }
  | {
      readonly kind: 'link'
      readonly name: string
      /** True when what is there comes from somebody else, and is kept. */
      readonly keeps: boolean
      readonly action: string
      readonly note: string
    }
  | { readonly kind: 'foreign'; readonly name: string; readonly action: string; readonly note: string }

/** The action of a step that finds its work done. */
export const THERE = 'is there'

const lstatOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })
const identityOf = (path: string): string | undefined => {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`
}

const isLink = (path: string, target: string): boolean =>
  lstatOf(path)?.isSymbolicLink() === true && readlinkSync(path) === target

/** Whether `folder/name` is a link to the podwire beside it or to its launcher, symbolic or hard. */
export const isOurs = (folder: string, name: string): boolean => {
  const path = join(folder, name)
  const identity = identityOf(path)
  return ['podwire', LAUNCHER].some(
    (file) => isLink(path, file) || (identity !== undefined && identity === identityOf(join(folder, file))),
  )
}

const refuseFolder = (path: string): void => {
  if (lstatOf(path)?.isDirectory())
    throw new CniError(ERR_IO, `${path} is a folder, and must become an executable`, 'move it away and install again')
}

const fileStep = (folder: string, name: FileName, source: string): Step => {
  const path = join(folder, name)
  refuseFolder(path)
  const from = join(source, name)
  const note = megabytes(statSync(from).size)
  if (identityOf(path) === identityOf(from)) return { kind: 'file', name, source: from, action: THERE, note: '' }
  const action = lstatOf(path) === undefined ? 'installed' : 'replaced'
  return { kind: 'file', name, source: from, action, note }
}

const linkStep = (folder: string, name: string): Step => {
  const path = join(folder, name)
  refuseFolder(path)
  if (isLink(path, LAUNCHER)) return { kind: 'link', name, keeps: false, action: THERE, note: '' }
  // a hard link would stay behind when the executable is replaced
  if (lstatOf(path) === undefined || isOurs(folder, name))
    return { kind: 'link', name, keeps: false, action: 'linked', note: '' }
  return { kind: 'link', name, keeps: true, action: 'replaced', note: 'the other one is kept' }
}

/** Executables of the folder that podwire does not replace. */
const foreignSteps = (folder: string, types: readonly string[]): Step[] => {
  const taken: readonly string[] = [...FILES, ...types]
  const names = lstatOf(folder) === undefined ? [] : readdirSync(folder)
  return names
    .filter((name) => !taken.includes(name) && !name.startsWith('.'))
    .sort()
    .map((name) => ({ kind: 'foreign', name, action: 'left alone', note: 'not a plugin of podwire' }))
}

/** The steps for `folder`, in the order they are taken. @throws CniError 5 */
export const planInstall = (folder: string, types: readonly string[]): readonly Step[] => {
  const source = sourceFolder()
  return [
    ...FILES.map((name) => fileStep(folder, name, source)),
    ...types.map((type) => linkStep(folder, type)),
    ...foreignSteps(folder, types),
  ]
}
