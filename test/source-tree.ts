/** The checkout as text: which source files there are and what each imports. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** Paths, relative to the checkout, of all files that are not ignored by git. */
export const filesOf = (): readonly string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))

export const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts')

/** An import line: a file, and the path it names, relative to the checkout when it is one of ours. */
export interface Arrow {
  readonly from: string
  readonly to: string
  /** Gone when the file runs: `import type`. */
  readonly typeOnly: boolean
}

const IMPORT = /^(?:import|export)(?<type>\s+type)?\s+(?:[\w\s{},*$]+\sfrom\s+)?['"](?<path>[^'"]+)['"]/gm
const LAZY = /\bimport\(\s*['"](?<path>[^'"]+)['"]\s*\)/g

/** The arrows in `text`, the content of the file `from`. */
export const arrowsIn = (from: string, text: string): readonly Arrow[] =>
  [...text.matchAll(IMPORT), ...text.matchAll(LAZY)].map(({ groups = {} }) => {
    const path = groups['path'] ?? ''
    const to = path.startsWith('.') ? normalize(join(dirname(from), path)) : path
    return { from, to, typeOnly: groups['type'] !== undefined }
  })

/** The arrows of all TypeScript files of the checkout. */
export const arrows = (): readonly Arrow[] =>
  filesOf()
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => arrowsIn(path, readFileSync(join(ROOT, path), 'utf8')))
