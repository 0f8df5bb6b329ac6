/** Regular expressions as Go writes them (RE2), as far as JavaScript has the same. */
import { DecodeError, quote } from '../addr/error.ts'

/** Flags before the whole expression: `(?i)`. */
const FLAGS = /^\(\?([ims]+)\)/

/** `text` as an expression. @throws DecodeError at `path` */
export const parsePattern = (text: string, path: string): RegExp => {
  const [prefix = '', flags = ''] = FLAGS.exec(text) ?? []
  try {
    return new RegExp(text.slice(prefix.length).replaceAll('(?P<', '(?<'), [...new Set(flags)].join(''))
  } catch (error) {
    throw new DecodeError(path, `${quote(text)} is not a regular expression (${(error as Error).message})`, {
      cause: error,
    })
  }
}
