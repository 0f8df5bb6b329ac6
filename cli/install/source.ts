/** The files that are installed: this very executable, its addon and the launcher of plugins, or in a checkout what
 *  `npm run build` left. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { CniError, ERR_IO } from '../../cni/error.ts'

/** What the links of plugin types lead to: it starts `podwire` beside it (native/launch.c). */
export const LAUNCHER = 'podwire-plugin'
/** Names of the files, in the order they are put in place: an executable never finds an addon older than itself. */
export const FILES = ['podwire.node', 'podwire', LAUNCHER] as const
export type FileName = (typeof FILES)[number]

/** The folder that holds these files. @throws CniError 5 when one is missing */
export const sourceFolder = (): string => {
  const isCompiled = process.versions.bun !== undefined
  const folder = isCompiled ? dirname(process.execPath) : `${import.meta.dirname}/../../dist`
  const missing = FILES.find((name) => !existsSync(`${folder}/${name}`))
  if (missing === undefined) return folder
  const todo = isCompiled
    ? 'they belong together: copy all of them, or unpack the package again'
    : 'run "npm run build" first'
  throw new CniError(ERR_IO, `${folder}/${missing} is not there`, todo)
}
