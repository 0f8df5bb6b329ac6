import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import { NetlinkError } from '../netlink/error.ts'
import { call, conf, env, errorOf, made, prevResult } from '../test/support/skel.ts'
import { CniError } from './error.ts'
import { run } from './skel.ts'
import { VERSIONS } from './version.ts'

test('run() without CNI_COMMAND says what this is on stderr, with status 0', () => {
  const { stdout, stderr, status } = call(made().entry, { CNI_COMMAND: undefined }, 'not read')
  expect([stdout, status]).toEqual(['', 0])
  expect(stderr).toBe(`podwire test: a plugin for tests\nCNI protocol versions supported: ${VERSIONS.join(', ')}\n`)
})

test.each<[string, string]>([
  ['{"cniVersion":"0.4.0"}', '0.4.0'],
  ['{"cniVersion":"7.0.0"}', '1.1.0'],
  ['', '1.1.0'],
  ['garbage', '1.1.0'],
  ['null', '1.1.0'],
])('run() of VERSION with stdin %j answers in %s and needs no other variable', (stdin, cniVersion) => {
  const none = { CNI_CONTAINERID: undefined, CNI_NETNS: 'dummy', CNI_IFNAME: 'dummy', CNI_PATH: undefined }
  const { stdout, status } = call(made().entry, { CNI_COMMAND: 'VERSION', ...none }, stdin)
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ cniVersion, supportedVersions: VERSIONS })
})

test('run() of VERSION answers also when stdin cannot be read, and lists only what the plugin supports', () => {
  const { entry } = made({ since: '0.4.0' })
  const unreadable = (): string => {
    throw new CniError(5, 'EBADF')
  }
  const { stdout } = run(entry, { env: { CNI_COMMAND: 'VERSION' }, stdin: unreadable, registry: () => undefined })
  expect(JSON.parse(stdout).supportedVersions).toEqual(['0.4.0', '1.0.0', '1.1.0'])
})

test('run() gives the plugin a call with everything in it', () => {
  const { entry, calls } = made()
  call(entry, { CNI_ARGS: 'IgnoreUnknown=1;MAC=x' }, { ...conf, prevResult })
  expect(calls[0]).toMatchObject({
    verb: 'ADD',
    containerID: 'c1',
    netns: '/run/netns/none',
    ifName: 'eth0',
    args: { IgnoreUnknown: '1', MAC: 'x' },
    path: ['/no/such/folder'],
    conf,
    stdin: JSON.stringify({ ...conf, prevResult }),
    prevResult: { ips: [{ address: '10.0.0.9/8' }] },
    valid: [],
  })
})

test.each(['DEL', 'CHECK', 'STATUS'])('run() of %s prints nothing', (verb) => {
  const { entry, calls } = made()
  expect(call(entry, { CNI_COMMAND: verb }, { ...conf, prevResult })).toEqual({ stdout: '', stderr: '', status: 0 })
  expect(calls.map((made) => made.verb)).toEqual([verb])
})

test('run() of GC hands over the valid attachments', () => {
  const { entry, calls } = made()
  call(entry, { CNI_COMMAND: 'GC' }, { ...conf, 'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'b' }] })
  expect(calls[0]?.valid).toEqual([{ containerID: 'a', ifName: 'b' }])
})

test('run() of GC without a list is an error and does nothing', () => {
  const { entry, calls } = made()
  expect(errorOf(call(entry, { CNI_COMMAND: 'GC' })).code).toBe(7)
  expect(calls).toEqual([])
})

test('run() of DEL needs neither CNI_NETNS nor prevResult', () => {
  const { entry, calls } = made({ chained: true })
  expect(call(entry, { CNI_COMMAND: 'DEL', CNI_NETNS: undefined }).status).toBe(0)
  expect(calls[0]).toMatchObject({ netns: '', prevResult: undefined })
})

test.each(VERSIONS)('run() of ADD prints the result in version %s', (cniVersion) => {
  const printed = JSON.parse(call(made().entry, {}, { ...conf, cniVersion }).stdout)
  expect(printed.cniVersion).toBe(cniVersion)
  expect(printed.ip4?.ip ?? printed.ips[0].address).toBe('10.0.0.5/8')
})

test('run() prints prevResult as it came in when the plugin returns it', () => {
  const { entry } = made({ add: (_, { prevResult: previous }) => previous ?? {} })
  expect(JSON.parse(call(entry, {}, { ...conf, prevResult }).stdout)).toEqual(prevResult)
  expect(JSON.parse(call(entry, {}, { ...conf, PrevResult: { IPs: [] } }).stdout)).toEqual({
    cniVersion: '1.1.0',
    IPs: [],
  })
})

test('run() undoes an ADD whose result the version cannot say', () => {
  const undone: string[] = []
  const { entry } = made({ add: () => ({ interfaces: [] }), del: (_, { verb }) => void undone.push(verb) })
  expect(errorOf(call(entry, {}, { ...conf, cniVersion: '0.2.0' }))).toMatchObject({ code: 1, cniVersion: '0.2.0' })
  expect(undone).toEqual(['DEL'])
})

test.each<[string, Record<string, string | undefined>, unknown, number]>([
  ['an unknown verb', { CNI_COMMAND: 'PING' }, conf, 4],
  ['no container id', { CNI_CONTAINERID: '' }, conf, 4],
  ['a wrong container id', { CNI_CONTAINERID: '../x' }, conf, 4],
  ['a wrong interface name', { CNI_IFNAME: 'a/b' }, conf, 4],
  ['wrong arguments', { CNI_ARGS: 'X' }, conf, 4],
  ['unknown arguments', { CNI_ARGS: 'X=1' }, conf, 4],
  ['no JSON', {}, 'x', 6],
  ['no object', {}, '[]', 6],
  ['no name', {}, { cniVersion: '1.1.0' }, 7],
  ['a version nobody knows', {}, { ...conf, cniVersion: '3.0.0' }, 1],
  ['a wrong prevResult', {}, { ...conf, prevResult: { ips: [{ address: 'x' }] } }, 7],
  ['the namespace of the plugin', { CNI_NETNS: '/proc/self/ns/net' }, conf, 8],
])('run() refuses %s before the plugin is asked', (_, over, json, code) => {
  const { entry, calls } = made()
  expect(errorOf(call(entry, over, json))).toMatchObject({ code, cniVersion: '1.1.0' })
  expect(calls).toEqual([])
})

test('run() of DEL refuses the namespace of the plugin, too', () => {
  const { entry, calls } = made()
  expect(errorOf(call(entry, { CNI_COMMAND: 'DEL', CNI_NETNS: '/proc/self/ns/net' })).code).toBe(8)
  expect(calls).toEqual([])
})

test.each(['ADD', 'CHECK'])('run() of %s of a chained plugin needs prevResult', (verb) => {
  const { entry, calls } = made({ chained: true })
  expect(errorOf(call(entry, { CNI_COMMAND: verb })).msg).toMatch(/^\$\.prevResult: missing/)
  expect(calls).toEqual([])
})

test.each<[string, unknown, object]>([
  ['CniError', new CniError(11, 'busy', 'later'), { code: 11, msg: 'busy', details: 'later' }],
  ['DecodeError', new DecodeError('$.mtu', 'wrong'), { code: 7, msg: '$.mtu: wrong' }],
  ['NetlinkError', new NetlinkError('ip link', 1, 'no'), { code: 102, details: 'no' }],
  ['TypeError', new TypeError('oops'), { code: 104 }],
  ['string', 'oops', { code: 104 }],
])('run() prints a %s that the plugin throws, in the version of the configuration', (_, error, expected) => {
  const failing = (): never => {
    throw error
  }
  const { entry } = made({ add: failing })
  expect(errorOf(call(entry, {}, { ...conf, cniVersion: undefined, CNIVersion: '0.4.0' }))).toMatchObject({
    ...expected,
    cniVersion: '0.4.0',
  })
})

test('run() never throws: any environment and stdin give JSON with a known code, or a result', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('', 'ADD', 'DEL', 'CHECK', 'GC', 'STATUS', '../x', 'eth0', 'A=B', '/proc/self/ns/net'),
  )
  const names = [
    'CNI_COMMAND',
    'CNI_CONTAINERID',
    'CNI_NETNS',
    'CNI_IFNAME',
    'CNI_ARGS',
    'CNI_PATH',
    'CNI_NETNS_OVERRIDE',
  ]
  const anyEnv = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] })
  const keys = fc.constantFrom(
    'cniVersion',
    'name',
    'type',
    'prevResult',
    'ips',
    'cni.dev/valid-attachments',
    '__proto__',
  )
  const json = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(keys, fc.oneof(fc.jsonValue(), fc.constantFrom(...VERSIONS)))
      .map((some) => JSON.stringify({ name: 'n', ...some })),
  )
  const codes = [1, 4, 6, 7, 8]
  fc.assert(
    fc.property(anyEnv, json, (someEnv, stdin) => {
      const over = Object.fromEntries(
        names.map((name) => [name, (someEnv as Record<string, string>)[name] ?? (env as Record<string, string>)[name]]),
      )
      const { stdout, status } = call(made().entry, over, stdin)
      if (status === 0) expect(() => stdout === '' || JSON.parse(stdout)).not.toThrow()
      else expect(codes).toContain(JSON.parse(stdout).code)
    }),
    { numRuns: 200 },
  )
})
