/** The files that are installed: this very executable and its addon, or in a checkout what `npm run build` left. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { CniError, ERR_IO } from '../../cni/error.ts'

/** Names of the two files, in the order they are put in place: an executable never finds an addon older than itself. */
export const FILES = ['podwire.node', 'podwire'] as const
export type FileName = (typeof FILES)[number]

/** The folder that holds both files. @throws CniError 5 when one is missing */
export const sourceFolder = (): string => {
  const isCompiled = process.versions.bun !== undefined
  const folder = isCompiled ? dirname(process.execPath) : `${import.meta.dirname}/../../dist`
  const missing = FILES.find((name) => !existsSync(`${folder}/${name}`))
  if (missing === undefined) return folder
  const todo = isCompiled
    ? 'the addon belongs beside the executable: copy both, or unpack the package again'
    : 'run "npm run build" first'
  throw new CniError(ERR_IO, `${folder}/${missing} is not there`, todo)
}
