/** A sample of `npm run fuzz`, with a seed of its own each time, which a failure prints. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../conformance/version.ts'
import { binDir, callPlugin } from '../support/plugin.ts'
import { basesIn } from './base.ts'
import { runCampaign } from './campaign.ts'
import { specimens } from './conf-fuzz.ts'
import { type Ground, PLUGINS, prepareGround } from './ground.ts'
import { codeOf, protocolProblems } from './judge.ts'
import { pathsIn, schemaPath, withAt } from './key-path.ts'

const SCHEMAS = `${import.meta.dirname}/../../conf/schemas`
const CASES = 600
const home = process.cwd()

let ground: Ground
beforeAll(async () => {
  ground = await prepareGround()
})
afterAll(() => process.chdir(home))

const run = (plugin: string, verb: string, conf: unknown, ifName: string): ReturnType<Ground['run']> =>
  ground.run(plugin, ground.env(verb, { CNI_IFNAME: ifName }), JSON.stringify(conf))

test('the configurations that the fuzzer starts from are accepted, and taken back', () => {
  for (const { plugin, variant, conf, ifName, lacking } of basesIn(ground.folder, ground.podPath)) {
    const links = ground.links()
    const added = run(plugin, 'ADD', conf, ifName)
    expect([plugin, variant, added.status], added.stdout).toEqual([plugin, variant, lacking ? 1 : 0])
    expect([plugin, run(plugin, 'DEL', conf, ifName)]).toEqual([plugin, { status: 0, stdout: '', stderr: '' }])
    expect(ground.movedLinks(links)).toEqual([])
  }
})

/** The places of all keys that a schema names, references followed one file deep. */
const keysOf = (schema: Json, root: Json, net: Json, at = ''): readonly string[] => {
  const ref = schema['$ref']
  if (typeof ref === 'string') {
    const [file = '', name = ''] = ref.split('#/definitions/')
    const home = file === 'net.json' ? net : root
    return name === '' ? keysOf(net, net, net, at) : keysOf((home['definitions'] as Json)[name] as Json, home, net, at)
  }
  const properties = Object.entries((schema['properties'] ?? {}) as Json).flatMap(([key, inner]) => {
    const path = at === '' ? key : `${at}.${key}`
    return [path, ...keysOf(inner as Json, root, net, path)]
  })
  const all = ((schema['allOf'] ?? []) as Json[]).flatMap((part) => keysOf(part, root, net, at))
  const items = schema['items'] === undefined ? [] : keysOf(schema['items'] as Json, root, net, `${at}.*`)
  return [...properties, ...all, ...items]
}

test('every key of every schema is in one of them', () => {
  const read = (file: string): Json => JSON.parse(readFileSync(`${SCHEMAS}/${file}`, 'utf8')) as Json
  const net = read('net.json')
  const bases = basesIn('/x', '/y')
  const files = readdirSync(SCHEMAS).filter((file) => file !== 'net.json' && file !== 'agent.json')
  expect(files.map((file) => file.replace('.json', '')).sort()).toEqual([...PLUGINS].sort())
  for (const file of files) {
    const plugin = file.replace('.json', '')
    const confs = bases.filter((base) => base.plugin === plugin).map(({ conf }) => conf)
    const held = new Set(confs.flatMap((conf) => pathsIn(conf).map(schemaPath)))
    const schema = read(file)
    const missing = keysOf(schema, schema, net).filter((key) => !held.has(key))
    expect([plugin, missing.filter((key) => !OF_ALL.includes(key))]).toEqual([plugin, []])
  }
})

/** Keys of net.json that plugins with no use for them need not repeat. */
const OF_ALL: readonly string[] = ['ipam', 'ipam.type', 'runtimeConfig', 'args', 'args.cni', 'prevResult']

test('withAt() changes, adds and takes out', () => {
  expect(withAt({ a: [{ b: 1 }, 2] }, ['a', 0, 'b'], 5)).toEqual({ a: [{ b: 5 }, 2] })
  expect(withAt({ a: [1, 2] }, ['a', 0], undefined)).toEqual({ a: [2] })
  expect(withAt({ a: { b: 1 } }, ['a', 'b'], undefined)).toEqual({ a: {} })
})

test('the executable answers as its code does in this process', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  for (const { plugin, verb, ifName, stdin } of specimens(ground, 100, seed)) {
    const inProcess = ground.run(plugin, ground.env(verb, { CNI_IFNAME: ifName }), stdin)
    ground.run(plugin, ground.env('DEL', { CNI_IFNAME: ifName }), stdin)
    const call = { bin: binDir(), node: ground.node, containerID: 'fuzz', netns: ground.podPath, ifName, conf: stdin }
    const executed = callPlugin({ ...call, verb, type: plugin })
    callPlugin({ ...call, verb: 'DEL', type: plugin })
    const about = `seed ${seed}: ${plugin} ${verb} ${stdin}`
    expect([executed.status, codeOf(executed)], about).toEqual([inProcess.status, codeOf(inProcess)])
    expect(protocolProblems(executed), about).toEqual([])
  }
}, 120_000)

test('wrong input of every kind is answered as the specification and an operator may expect', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const tallies = await runCampaign({ cases: CASES, seed })
  expect({ seed, found: tallies.flatMap(({ violations }) => violations) }).toEqual({ seed, found: [] })
  expect(tallies.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(CASES)
}, 180_000)
