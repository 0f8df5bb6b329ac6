/** The name servers of a resolv.conf(5), as upstream reads it: later `domain` lines replace earlier ones, all others add. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { CniError, ERR_IO } from '../../cni/error.ts'
import type { Dns } from '../../cni/result.ts'

const isComment = (line: string): boolean => line.startsWith('#') || line.startsWith(';')

export const parseResolvConf = (text: string): Dns => {
  const lines = text.split('\n').map((line) => line.trim())
  const settings = lines.filter((line) => !isComment(line)).map((line) => line.split(/\s+/))
  const valuesOf = (wanted: string): readonly (readonly string[])[] =>
    settings.filter(([keyword, first]) => keyword === wanted && first !== undefined).map(([, ...values]) => values)
  const domain = valuesOf('domain').at(-1)?.[0]
  return {
    nameservers: valuesOf('nameserver').flatMap((values) => values.slice(0, 1)),
    ...(domain === undefined ? {} : { domain }),
    search: valuesOf('search').flat(),
    options: valuesOf('options').flat(),
  }
}

/** Bytes that are read at most: more than any resolver's file holds, less than a device gives. */
const LONGEST = 65536

/** The beginning of a file. O_NONBLOCK: what is no file may be a pipe, whose other end nobody opens. */
const readText = (path: string): string => {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const bytes = new Uint8Array(LONGEST)
    return new TextDecoder().decode(bytes.subarray(0, readSync(descriptor, bytes, 0, LONGEST, null)))
  } finally {
    closeSync(descriptor)
  }
}

/** @throws CniError 5 */
export const readResolvConf = (path: string): Dns => {
  try {
    return parseResolvConf(readText(path))
  } catch (error) {
    const details = 'correct $.ipam.resolvConf, or leave it out'
    throw new CniError(ERR_IO, `cannot read the name servers from ${quote(path)}: ${String(error)}`, details, {
      cause: error,
    })
  }
}
