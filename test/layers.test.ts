/** The shape of the tree: imports point one way, a plugin knows no other plugin, folders have nouns and a README. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { type Arrow, arrows, arrowsIn, filesOf, isTest } from './source-tree.ts'

/** From the bottom up; folders on one line may import each other. A folder that is not here fails the first test. */
const LAYERS: readonly (readonly string[])[] = [
  ['addr'],
  ['native'],
  ['netlink'],
  ['netfilter'],
  ['cni', 'kernel'],
  ['conf'],
  ['overlay'],
  ['plugins', 'ipam'],
  ['agent'],
  ['cli'],
  ['bin'],
]

const layerOf = (path: string): number => LAYERS.findIndex((folders) => folders.includes(path.split('/')[0] ?? ''))

const isOurs = (path: string): boolean => path.includes('/') && !path.startsWith('node:') && layerOf(path) >= 0

/** Programs of bin/ that start a test suite (the bench, the conformance table) may import it. */
const isBadArrow = ({ from, to }: Arrow): boolean => {
  if (to.startsWith('test/')) return !from.startsWith('bin/')
  return isOurs(to) && layerOf(to) > layerOf(from)
}

const PLUGIN = /^(?:plugins|ipam)\/[^/]+\//

const shown = ({ from, to }: Arrow): string => `${from} -> ${to}`
const product = arrows().filter(({ from }) => !isTest(from))

const files = filesOf()

test('every folder of TypeScript is a layer, or test', () => {
  const heads = files.filter((path) => path.endsWith('.ts') && path.includes('/'))
  expect(heads.filter((path) => layerOf(path) < 0 && !path.startsWith('test/'))).toEqual([])
})

test('imports point down', () => {
  expect(
    product
      .filter(({ from }) => from.includes('/'))
      .filter(isBadArrow)
      .map(shown),
  ).toEqual([])
})

test('a plugin imports no other plugin', () => {
  const foreign = product.filter(({ from, to }) => {
    const [own, other] = [PLUGIN.exec(from)?.[0], PLUGIN.exec(to)?.[0]]
    return own !== undefined && other !== undefined && own !== other
  })
  expect(foreign.map(shown)).toEqual([])
})

test('there is no cycle of imports', () => {
  const loaded = product.filter(({ typeOnly, to }) => !typeOnly && to.endsWith('.ts'))
  const targets = new Map<string, readonly string[]>()
  for (const { from, to } of loaded) targets.set(from, [...(targets.get(from) ?? []), to])
  const done = new Set<string>()
  const cycleFrom = (path: string, trail: readonly string[]): readonly string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return []
    for (const to of targets.get(path) ?? []) {
      const cycle = cycleFrom(to, [...trail, path])
      if (cycle.length > 0) return cycle
    }
    done.add(path)
    return []
  }
  expect([...targets.keys()].map((path) => cycleFrom(path, [])).filter((cycle) => cycle.length > 0)).toEqual([])
})

test('nothing imports bun, and the exec path imports no stream, promise or child process', () => {
  const SLOW = ['node:child_process', 'node:crypto', 'node:stream', 'node:fs/promises', 'node:net', 'node:http']
  const EXEC_PATH = ['addr', 'native', 'netlink', 'netfilter', 'kernel', 'cni', 'overlay', 'plugins', 'ipam']
  const bad = product.filter(({ from, to, typeOnly }) => {
    const slow = SLOW.includes(to) && EXEC_PATH.includes(from.split('/')[0] ?? '')
    return !typeOnly && (slow || to.startsWith('bun'))
  })
  expect(bad.map(shown)).toEqual([])
})

test('no folder or file is called after having no noun', () => {
  const NONE = /(?:^|[-.])(?:utils?|helpers?|common|lib|managers?|handlers?|processors?|misc|shared)(?:$|[-.])/
  expect(files.filter((path) => path.split('/').some((part) => NONE.test(part)))).toEqual([])
})

const linesOf = (path: string): number =>
  readFileSync(`${import.meta.dirname}/../${path}`, 'utf8')
    .trimEnd()
    .split('\n').length

test('every folder of source has a README of at most ten lines', () => {
  const sources = files.filter((path) => /\.(?:ts|js|c|go|sh)$/.test(path))
  const readmes = [...new Set(sources.map(dirname))]
    .filter((folder) => folder !== '.')
    .map((folder) => `${folder}/README.md`)
  const good = files.filter((path) => path.endsWith('/README.md') && linesOf(path) <= 10)
  expect(readmes.filter((path) => !good.includes(path))).toEqual([])
})

test('no file of source is over 300 lines', () => {
  const sizes = files.filter((path) => path.endsWith('.ts')).map((path) => [path, linesOf(path)] as const)
  expect(sizes.filter(([, size]) => size > 300)).toEqual([])
})

test.for<[text: string, to: readonly string[]]>([
  ["import { a } from '../addr/ip.ts'", ['addr/ip.ts']],
  ["import type { A } from './b.ts'", ['cni/b.ts']],
  ["import {\n  a,\n  b,\n} from '../addr/ip.ts'", ['addr/ip.ts']],
  ["export * from './b.ts'", ['cni/b.ts']],
  ["import './b.ts'", ['cni/b.ts']],
  ["const a = await import('./b.ts')", ['cni/b.ts']],
  ["const text = 'import x'", []],
  ["export const load = () => process.getBuiltinModule('node:fs')", []],
])('arrowsIn() reads %j', ([text, to]) => {
  expect(arrowsIn('cni/a.ts', text).map((arrow) => arrow.to)).toEqual(to)
})
