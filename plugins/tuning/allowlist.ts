/** The sysctls that the node's administrator allows: regular expressions, one a line, that need to match anywhere in a key.
 *  No file: all are allowed. Upstream's `/etc/cni/tuning/allowlist.conf`, written in Go's syntax (RE2). */
import { readFileSync } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import type { Sysctl } from './conf.ts'

export const ALLOWLIST = '/etc/cni/tuning/allowlist.conf'

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
}

/** An expression of RE2 as one of JavaScript: `\A`, `\z`, `(?P<name>`, `[[:alnum:]]` and the like, flags in front. */
const translate = (pattern: string): RegExp => {
  const [, flags = '', body = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? []
  const source = body
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\[:(\w+):\]/g, (all, name: string) => POSIX[name] ?? all)
  return new RegExp(source, flags)
}

const parseLine = (line: string): RegExp => {
  try {
    return translate(line)
  } catch (error) {
    throw new CniError(ERR_CONFIG, `${ALLOWLIST}: ${quote(line)} is no regular expression`, String(error), {
      cause: error,
    })
  }
}

const readLines = (path: string): string[] | undefined => {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.map((line) => line.trim()).filter((line) => line !== '')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** @throws CniError 7 naming the first sysctl that no line of the file at `path` matches */
export const requireAllowed = (sysctls: readonly Sysctl[], path = ALLOWLIST): void => {
  const lines = sysctls.length === 0 ? undefined : readLines(path)
  if (lines === undefined) return
  const allowed = lines.map(parseLine)
  const refused = sysctls.find(({ key }) => !allowed.some((pattern) => pattern.test(key)))
  if (refused === undefined) return
  throw new CniError(
    ERR_CONFIG,
    `sysctl ${quote(refused.key)} is not allowed on this node`,
    `${path} allows: ${lines.join(' ')}`,
  )
}
