import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pluginFolders, programFolders, renderProgram, renderRegistry } from './registry.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'podwire-registry-'))
  for (const folder of ['plugins', 'ipam', 'conf/schemas']) mkdirSync(join(root, folder), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const folder = (path: string, main = 'export const plugin = {}\n'): void => {
  mkdirSync(join(root, path))
  writeFileSync(join(root, path, 'main.ts'), main)
}
const schema = (type: string): void => writeFileSync(join(root, 'conf/schemas', `${type}.json`), '{}')

test('pluginFolders() finds every folder whose main.ts exports a plugin, sorted by type', () => {
  for (const type of ['ptp', 'bridge', 'host-local']) schema(type)
  folder('plugins/ptp')
  folder('plugins/bridge')
  folder('ipam/host-local')
  folder('plugins/begun', 'export const other = 1\n')
  mkdirSync(join(root, 'plugins/empty'))
  writeFileSync(join(root, 'plugins/README.md'), '')
  expect(pluginFolders(root)).toEqual([
    { type: 'bridge', path: 'plugins/bridge' },
    { type: 'host-local', path: 'ipam/host-local' },
    { type: 'ptp', path: 'plugins/ptp' },
  ])
})

test('pluginFolders() refuses a type without a schema', () => {
  folder('plugins/new')
  expect(() => pluginFolders(root)).toThrow('plugins/new has no conf/schemas/new.json')
})

test('pluginFolders() refuses two folders of one type', () => {
  schema('static')
  folder('plugins/static')
  folder('ipam/static')
  expect(() => pluginFolders(root)).toThrow('two folders are named static')
})

test('renderRegistry() loads a plugin only when it is asked for', () => {
  const [line = ''] = renderRegistry([{ type: 'host-local', path: 'ipam/host-local' }]).match(/^ {2}'.*$/m) ?? []
  expect(line).toContain("'host-local': () =>")
  expect(line).toContain("require('../../ipam/host-local/main.ts')")
  expect(line).toContain("require('../../conf/generated/host-local.js')")
})

test('programFolders() adds the IPAM plugins to one that delegates to them', () => {
  for (const type of ['bridge', 'host-local', 'portmap', 'static']) schema(type)
  folder('plugins/bridge', "import { ipamAdd } from '../../cni/ipam.ts'\nexport const plugin = { add: ipamAdd }\n")
  folder('plugins/portmap')
  folder('ipam/host-local')
  folder('ipam/static')
  const folders = pluginFolders(root)
  const programs = folders.map((one) => programFolders(root, one, folders).map(({ type }) => type))
  expect(programs).toEqual([['bridge', 'host-local', 'static'], ['host-local'], ['portmap'], ['static']])
})

const delegating = (...types: readonly string[]): string =>
  `export const plugin = {\n  delegatesTo: [${types.map((type) => `'${type}'`).join(', ')}],\n}\n`

test('programFolders() adds the plugins that one says it delegates to, and theirs', () => {
  for (const type of ['bridge', 'flannel', 'host-local', 'meta', 'portmap']) schema(type)
  folder('plugins/meta', delegating('flannel', 'bridge'))
  folder('plugins/flannel', delegating('bridge'))
  folder('plugins/bridge', "import { ipamAdd } from '../../cni/ipam.ts'\nexport const plugin = { add: ipamAdd }\n")
  folder('plugins/portmap')
  folder('ipam/host-local')
  const folders = pluginFolders(root)
  const programOf = (wanted: string): string[] =>
    folders
      .filter(({ type }) => type === wanted)
      .flatMap((one) => programFolders(root, one, folders).map(({ type }) => type))
  expect(programOf('flannel')).toEqual(['flannel', 'bridge', 'host-local'])
  expect(programOf('meta')).toEqual(['meta', 'bridge', 'flannel', 'host-local'])
})

test('programFolders() refuses a delegate that is no plugin', () => {
  schema('flannel')
  folder('plugins/flannel', delegating('brige'))
  const [one] = pluginFolders(root)
  expect(() => programFolders(root, one ?? { type: '', path: '' }, pluginFolders(root))).toThrow(
    'plugins/flannel delegates to brige, which is no plugin',
  )
})

test('renderProgram() imports nothing but statically', () => {
  const text = renderProgram([
    { type: 'bridge', path: 'plugins/bridge' },
    { type: 'static', path: 'ipam/static' },
  ])
  expect(text).toContain("import { plugin as plugin0 } from '../../plugins/bridge/main.ts'")
  expect(text).toContain("if (type === 'static') return entryOf(plugin1, schema1)")
  expect(text).not.toMatch(/require|import\(/)
})
