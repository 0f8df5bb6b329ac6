import { expect, test } from 'vitest'
import { parseConf, parseJson, parseValid } from './conf.ts'
import type { Entry } from './entry.ts'
import type { JsonObject, NetConf } from './plugin.ts'
import { VERSIONS, versionsSince } from './version.ts'

const entry: Entry = {
  type: 'test',
  about: '',
  versions: VERSIONS,
  chained: false,
  schema: {
    shape: { keys: { cniversion: ['cniVersion'], name: ['name'], mtu: ['mtu'] } },
    args: undefined,
    words: {},
    validate: () => true,
  },
  run: () => undefined,
  preview: () => undefined,
}

test.each(['', ' ', '{', 'nonsense', '{"a":1}x', '\ufeff{}', '{"name": "x",}'])(
  'parseJson() refuses %j as no JSON',
  (text) => expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: 6 })),
)

test.each(['null', '[]', '"text"', '1', 'true'])('parseJson() refuses %s as no object', (text) =>
  expect(() => parseJson(text)).toThrow(
    expect.objectContaining({ code: 6, message: expect.stringContaining(`stdin holds ${text}`) }),
  ),
)

test.each([
  ['lists', '[', ']'],
  ['objects', '{"a":', '}'],
])('parseJson() reads %s up to 1000 deep', (_what, open, close) => {
  const nested = (depth: number): string => `{"x":${open.repeat(depth)}1${close.repeat(depth)}}`
  expect(parseJson(nested(999))).toHaveProperty('x')
  for (const depth of [1000, 100_000])
    expect(() => parseJson(nested(depth))).toThrow(
      expect.objectContaining({ code: 6, message: expect.stringContaining('more than 1000 deep') }),
    )
})

test('parseJson() reads many values beside each other', () =>
  expect(parseJson(`{"x":[${'[],'.repeat(5000)}1]}`)).toHaveProperty('x'))

test('parseJson() says that stdin is empty', () => expect(() => parseJson('\n')).toThrow('stdin is empty'))

test('parseConf() folds keys, and sets version and type that are left out', () => {
  expect(parseConf(entry, 'ADD', { NAME: 'n', Mtu: 1, Other: 2 })).toEqual({
    cniVersion: '0.1.0',
    name: 'n',
    type: 'test',
    mtu: 1,
    Other: 2,
  })
  expect(parseConf(entry, 'ADD', { CniVersion: '0.4.0', name: 'n', type: 'main' })).toMatchObject({
    cniVersion: '0.4.0',
    type: 'main',
  })
})

test.each<[string, JsonObject, Entry['versions'], 'ADD' | 'CHECK' | 'GC' | 'STATUS', string]>([
  ['a version nobody knows', { cniVersion: '9.0.0' }, VERSIONS, 'ADD', '"9.0.0" is none of'],
  ['one too old for the plugin', { cniVersion: '0.3.1' }, versionsSince('0.4.0'), 'ADD', '"0.3.1" is none of 0.4.0'],
  ['CHECK before 0.4.0', { cniVersion: '0.3.1' }, VERSIONS, 'CHECK', 'config version does not allow CHECK'],
  ['GC before 1.1.0', { cniVersion: '1.0.0' }, VERSIONS, 'GC', 'config version does not allow GC'],
  ['STATUS without a version', {}, VERSIONS, 'STATUS', 'config version does not allow STATUS'],
])('parseConf() refuses %s with code 1', (_, json, versions, verb, problem) =>
  expect(() => parseConf({ ...entry, versions }, verb, json)).toThrow(
    expect.objectContaining({ code: 1, message: expect.stringContaining(problem) }),
  ),
)

const valid = (json: JsonObject): unknown => parseValid(json as JsonObject as NetConf, json)
const a = { containerID: 'a', ifname: 'eth0' }
const b = { containerID: 'b', ifname: 'net1' }

test.each<[string, JsonObject, readonly object[]]>([
  ['an empty list', { 'cni.dev/valid-attachments': [] }, []],
  [
    'a list',
    { 'cni.dev/valid-attachments': [a, b] },
    [
      { containerID: 'a', ifName: 'eth0' },
      { containerID: 'b', ifName: 'net1' },
    ],
  ],
  ['the older name', { 'cni.dev/attachments': [b] }, [{ containerID: 'b', ifName: 'net1' }]],
  ['both names: the newer', { 'cni.dev/attachments': [b], 'cni.dev/valid-attachments': [] }, []],
])('parseValid() reads %s', (_, json, expected) => expect(valid(json)).toEqual(expected))

test('parseValid() takes null, which libcni makes of a nil slice, as an empty list', () => {
  expect(parseValid({ cniVersion: '1.1.0', name: 'n', type: 't' }, { 'cni.dev/valid-attachments': null })).toEqual([])
})

test('parseValid() refuses an absent list', () =>
  expect(() => valid({ name: 'n' })).toThrow(
    expect.objectContaining({ name: 'DecodeError', path: '$["cni.dev/valid-attachments"]' }),
  ))

test.each([
  [{ containerID: '../x', ifname: 'eth0' }, 'containerID'],
  [{ containerID: '', ifname: 'eth0' }, 'containerID'],
  [{ containerID: 'x', ifname: 'a/b' }, 'ifname'],
  [{ containerID: 'x', ifname: '' }, 'ifname'],
])('parseValid() refuses %j', (attachment, key) =>
  expect(() => valid({ 'cni.dev/valid-attachments': [a, attachment] })).toThrow(
    expect.objectContaining({ path: `$["cni.dev/valid-attachments"][1].${key}` }),
  ),
)
