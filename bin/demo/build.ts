/** The executable the demo shows: built when there is none, or when a source is newer. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { run } from './command.ts'

export const ROOT = new URL('../..', import.meta.url).pathname

const SOURCES = [
  'addr',
  'agent',
  'bin',
  'cli',
  'cni',
  'conf/schemas',
  'ipam',
  'kernel',
  'native',
  'netfilter',
  'netlink',
  'overlay',
  'plugins',
]
const PRODUCTS = ['dist/podwire', 'dist/podwire.node', 'dist/podwire-plugin']

const modified = (path: string): number => statSync(path).mtimeMs

/** When anything below `folder` was last written, apart from what a build generates. */
const newestIn = (folder: string): number => {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes('generated'))
  return Math.max(0, ...files.map(({ parentPath, name }) => modified(`${parentPath}/${name}`)))
}

const isOld = (): boolean => {
  if (!PRODUCTS.every((path) => existsSync(`${ROOT}${path}`))) return true
  const built = modified(`${ROOT}dist/podwire`)
  return SOURCES.some((folder) => newestIn(`${ROOT}${folder}`) > built)
}

/** Returns what was done. @throws Error with the build's output */
export const buildIfOld = async (): Promise<string> => {
  if (!isOld()) return 'is up to date'
  await run(['npm', '--prefix', ROOT, 'run', 'build'])
  return 'built'
}
