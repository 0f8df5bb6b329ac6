/** What the specification and libcni ask of every plugin alike, asked of every folder of `plugins/` and `ipam/` through the
 *  executable. A new folder is tested without a line here. SPEC.md §2, §5. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { ipJson, makeNetns, mustIn } from '../support/netns.ts'
import { binDir, callPlugin, type PluginCall, type PluginOutput, pluginTypes } from '../support/plugin.ts'
import { withValue, wrongValues } from './wrong-values.ts'

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']
const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const
type Verb = (typeof VERBS)[number]
const REQUIRED: Readonly<Record<Verb, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
}

let bin = ''
let node = ''
let pod = ''
let dataDir = ''
beforeAll(() => {
  bin = binDir()
  dataDir = makeFolder('ipam')
})

const prevResult = { cniVersion: '1.1.0', interfaces: [], ips: [{ address: '10.9.0.5/24' }] }
/** Enough for any plugin, main, chained or IPAM. */
const confFor = (type: string): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 'contract',
  type,
  ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.9.0.0/24' }]], addresses: [{ address: '10.9.0.5/24' }] },
  prevResult,
  'cni.dev/valid-attachments': [],
})

type Over = Partial<PluginCall> & { readonly keys?: object }
const call = (type: string, verb: string, { keys, ...over }: Over = {}): PluginOutput =>
  callPlugin({
    bin,
    node,
    verb,
    containerID: 'c1',
    netns: pod,
    ifName: 'eth0',
    type,
    conf: { ...confFor(type), ...keys },
    ...over,
  })

/** The error of a call that must fail, after the checks that every error has to pass. */
const refusal = ({ status, stderr, json }: PluginOutput): { code: number; text: string; cniVersion: string } => {
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  const { cniVersion, code, msg, details = '' } = json as Record<string, unknown>
  expect(VERSIONS).toContain(cniVersion)
  expect(Number.isInteger(code) && code !== 999 && code !== 104).toBe(true)
  expect(msg).toMatch(/\S/)
  return { code: code as number, text: `${msg}\n${details}`, cniVersion: cniVersion as string }
}

/** `$.a["b.c"][0]`, as errors write it. */
const written = (path: readonly string[]): string =>
  path.reduce((text, key) => {
    if (key === '0') return `${text}[0]`
    return /^\w+$/.test(key) ? `${text}.${key}` : `${text}[${JSON.stringify(key)}]`
  }, '$')

/** Two of the verbs, others for other values, so that together the values of a table meet every verb. */
const someOf = (value: unknown): readonly Verb[] => {
  const first = (JSON.stringify(value)?.length ?? 0) % VERBS.length
  return [...VERBS, ...VERBS].slice(first, first + 2)
}

const supportedBy = (type: string): readonly string[] =>
  (call(type, 'VERSION', { conf: '' }).json as { supportedVersions: readonly string[] }).supportedVersions

test('there are plugins to test', () => expect(pluginTypes()).toEqual(expect.arrayContaining(['bridge', 'host-local'])))

describe.each(pluginTypes())('%s', (type) => {
  beforeAll(() => {
    node = makeNetns('node')
    pod = makeNetns('pod')
  })

  afterAll(() => {
    expect(
      ipJson(node, 'link').map(({ ifname }) => ifname),
      'links of the node',
    ).toEqual(['lo'])
    expect(
      ipJson(pod, 'link').map(({ ifname }) => ifname),
      'links of the pod',
    ).toEqual(['lo'])
    expect(mustIn(node, ['nft', 'list', 'ruleset']), 'ruleset of the node').toBe('')
  })

  test('says what it is when it is called by hand', () => {
    const output = call(type, '', { env: { CNI_COMMAND: undefined } })
    expect(output).toMatchObject({ status: 0, stdout: '', stderr: expect.stringContaining(`podwire ${type}: `) })
    expect(output.stderr).toContain(`CNI protocol versions supported: ${supportedBy(type).join(', ')}`)
  })

  test.each(['', '{', 'garbage', '{"cniVersion":"0.3.1"}', '{"cniVersion":7}', '[]'])(
    'answers VERSION with stdin %j and no other variable',
    (stdin) => {
      const none = { CNI_CONTAINERID: undefined, CNI_NETNS: 'dummy', CNI_IFNAME: 'dummy', CNI_PATH: undefined }
      const { status, json, stderr } = call(type, 'VERSION', { conf: stdin, env: none })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const { cniVersion, supportedVersions } = json as { cniVersion: string; supportedVersions: string[] }
      expect(cniVersion).toBe(stdin.includes('0.3.1') ? '0.3.1' : '1.1.0')
      expect(supportedVersions).toEqual(VERSIONS.slice(VERSIONS.length - supportedVersions.length))
      expect(supportedVersions).toEqual(expect.arrayContaining(['0.4.0', '1.0.0', '1.1.0']))
    },
  )

  test.each(['PING', 'add', 'toString'])('refuses CNI_COMMAND=%s with code 4', (verb) => {
    const { code, text } = refusal(call(type, verb))
    expect(code).toBe(4)
    expect(text).toContain('CNI_COMMAND')
  })

  test.each(VERBS)('refuses %s without the variables it needs, and names each', (verb) => {
    for (const value of [undefined, '']) {
      const env = Object.fromEntries(REQUIRED[verb].map((name) => [name, value]))
      const { code, text } = refusal(call(type, verb, { env }))
      expect(code).toBe(4)
      for (const name of REQUIRED[verb]) expect(text).toContain(name)
      for (const name of REQUIRED[verb]) {
        const one = refusal(call(type, verb, { env: { [name]: value } }))
        expect([one.code, REQUIRED[verb].filter((other) => one.text.includes(other))]).toEqual([4, [name]])
      }
    }
  })

  test.each([
    ['CNI_CONTAINERID', '../../etc'],
    ['CNI_CONTAINERID', '-x'],
    ['CNI_CONTAINERID', 'a b'],
    ['CNI_CONTAINERID', 'x'.repeat(300)],
    ['CNI_IFNAME', 'a/b'],
    ['CNI_IFNAME', '..'],
    ['CNI_IFNAME', 'a b'],
    ['CNI_IFNAME', 'eth%d'],
    ['CNI_IFNAME', 'sixteen-letters.'],
    ['CNI_ARGS', 'nonsense'],
    ['CNI_ARGS', 'A=B=C'],
  ])('refuses %s=%s with code 4', (name, value) => {
    for (const verb of ['ADD', 'DEL', 'CHECK']) {
      const { code, text } = refusal(call(type, verb, { env: { [name]: value } }))
      expect([verb, code]).toEqual([verb, 4])
      expect(text).toContain(name)
    }
  })

  test.each(['ADD', 'DEL'])('refuses %s in its own namespace with code 8', (verb) =>
    expect(refusal(call(type, verb, { netns: '/proc/self/ns/net' })).code).toBe(8),
  )

  test.each(['', ' ', '{', 'garbage', 'null', '[]', '7', '"text"', '{"name":"x",}'])(
    'refuses stdin %j with code 6',
    (conf) => {
      for (const verb of someOf(conf)) expect([verb, refusal(call(type, verb, { conf })).code]).toEqual([verb, 6])
    },
  )

  test.each([undefined, '', '../x', '.x', 'a/b', 'a b', 'a\nb', 'x'.repeat(300), 7])(
    'refuses the name %j with code 7',
    (name) => {
      for (const verb of VERBS) {
        const { code, text } = refusal(call(type, verb, { keys: { name } }))
        expect([verb, code]).toEqual([verb, 7])
        expect(text).toContain('$.name')
      }
    },
  )

  test.each(['9.9.9', '0.3.2', '1.1', 7])('refuses cniVersion %j with code 1', (cniVersion) => {
    for (const verb of someOf(cniVersion)) {
      const { code, text } = refusal(call(type, verb, { keys: { cniVersion } }))
      expect([verb, code]).toEqual([verb, 1])
      expect(text).toContain(JSON.stringify(cniVersion))
    }
  })

  test.each([
    ['CHECK', VERSIONS.slice(0, 4)],
    ['GC', VERSIONS.slice(0, 6)],
    ['STATUS', VERSIONS.slice(0, 6)],
  ])('refuses %s of versions that do not have it with code 1', (verb, versions) => {
    for (const cniVersion of versions) {
      const { code, cniVersion: said } = refusal(call(type, verb, { keys: { cniVersion } }))
      expect([said, code]).toEqual([cniVersion, 1])
    }
  })

  test('takes keys in any case, as Go does', () => {
    const { cniVersion, name, ...rest } = confFor(type)
    const text = JSON.stringify({ CNIVersion: '0.3.0', NAME: name, ...rest })
    const { code, text: why, cniVersion: said } = refusal(call(type, 'CHECK', { conf: text }))
    expect([code, said, cniVersion]).toEqual([1, '0.3.0', '1.1.0'])
    expect(why).toContain('CHECK')
  })

  test('CHECK needs prevResult', () => {
    const { code, text } = refusal(call(type, 'CHECK', { keys: { prevResult: undefined } }))
    expect(code).toBe(7)
    expect(text).toContain('$.prevResult')
  })

  test.each([
    ['$.prevResult', 'text'],
    ['$.prevResult.ips[0].address', { ips: [{ address: '10.0.0.1' }] }],
    ['$.prevResult.interfaces', { interfaces: 'eth0' }],
    ['$.prevResult.cniVersion', { cniVersion: '9.9.9' }],
  ])('refuses a wrong %s with code 7', (path, wrong) => {
    for (const verb of ['ADD', 'CHECK']) {
      const { code, text } = refusal(call(type, verb, { keys: { prevResult: wrong } }))
      expect([verb, code]).toEqual([verb, 7])
      expect(text).toContain(path)
    }
  })

  test.each([
    [undefined, 'cni.dev/valid-attachments'],
    [{}, 'cni.dev/valid-attachments'],
    [['c1'], '[0]'],
    [[{ containerID: 'c1' }], '[0].ifname'],
    [[{ containerID: '../c1', ifname: 'eth0' }], '[0].containerID'],
    [[{ containerID: 'c1', ifname: 'a/b' }], '[0].ifname'],
  ])('refuses GC with the list %j and code 7', (valid, path) => {
    const { code, text } = refusal(call(type, 'GC', { keys: { 'cni.dev/valid-attachments': valid } }))
    expect(code).toBe(7)
    expect(text).toContain(path)
  })

  test('GC with nothing to collect and an empty list does nothing and says nothing', () =>
    expect(call(type, 'GC')).toMatchObject({ status: 0, stdout: '', stderr: '' }))

  test('DEL of what is not there succeeds, twice, with and without namespace and prevResult', () => {
    for (const netns of [undefined, '', pod, '/run/netns/no-such', '/dev/null'])
      for (const keys of [{}, { prevResult: undefined }]) {
        const over = netns === undefined ? { env: { CNI_NETNS: undefined } } : { netns: netns || '/run/netns/' }
        expect([netns, call(type, 'DEL', { keys, ...over })]).toMatchObject([
          netns,
          { status: 0, stdout: '', stderr: '' },
        ])
      }
  })

  test('refuses every value that its schema refuses, and names the key', () => {
    const wrong = wrongValues(type)
    expect(wrong.length).toBeGreaterThan(10)
    for (const { path, value } of wrong) {
      const verb = path[0]?.startsWith('cni.dev/') ? 'GC' : 'ADD'
      const conf = withValue(confFor(type), path, value) as object
      const output = call(type, verb, { conf })
      expect([written(path), value, output]).toMatchObject([written(path), value, { status: 1, json: { code: 7 } }])
      const { text } = refusal(output)
      expect(text).toContain(written(path.slice(0, 1)))
    }
  })

  test('answers any environment and stdin with JSON and a typed code, or with success', () => {
    const odd = fc.oneof(fc.string(), fc.constantFrom('', '../x', '/', '.', 'ADD', 'GC', '1'))
    const text = odd.map((value) => value.replaceAll('\0', '?'))
    const names = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH', 'CNI_NETNS_OVERRIDE']
    const env = fc.record(Object.fromEntries(names.map((name) => [name, text])), { requiredKeys: [] })
    const conf = fc.oneof(fc.string(), fc.json(), fc.constant(JSON.stringify(confFor(type))))
    fc.assert(
      fc.property(fc.constantFrom('CHECK', 'STATUS', 'DEL'), env, conf, (verb, some, stdin) => {
        const output = call(type, verb, {
          conf: stdin,
          netns: '/run/netns/no-such',
          env: some as Record<string, string>,
        })
        if (output.status !== 0) refusal(output)
      }),
      { numRuns: 30 },
    )
  })
})
