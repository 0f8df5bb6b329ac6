import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compareVersions, findNetwork, parseList, readNetwork, readNetworks } from './network.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-network-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const put = (name: string, value: unknown): void =>
  writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))

const list = (more: object): string => JSON.stringify({ name: 'pods', plugins: [{ type: 'bridge' }], ...more })

describe('parseList()', () => {
  test.each([
    ['no version is 0.1.0', {}, '0.1.0'],
    ['cniVersion alone', { cniVersion: '1.0.0' }, '1.0.0'],
    ['the highest of cniVersions', { cniVersion: '0.4.0', cniVersions: ['1.0.0', '0.3.1'] }, '1.0.0'],
    ['cniVersion when it is the highest', { cniVersion: '1.1.0', cniVersions: ['1.0.0'] }, '1.1.0'],
    ['nothing newer than 1.1.0', { cniVersion: '1.0.0', cniVersions: ['1.1.0', '1.2.0', '2.0.0'] }, '1.1.0'],
    ['only newer ones: cniVersion stands', { cniVersion: '9.0.0', cniVersions: ['8.0.0'] }, '9.0.0'],
    ['numbers, not text', { cniVersions: ['0.10.0', '0.9.0'] }, '0.10.0'],
  ])('takes the version: %s', (_, more, version) => {
    expect(parseList(list(more), 'x.conflist', '').cniVersion).toBe(version)
  })

  test.each([
    ['disableCheck', true, true],
    ['disableCheck', 'TRUE', true],
    ['disableCheck', 'false', false],
    ['disableGC', true, true],
  ] as const)('reads %s: %s', (key, value, expected) => {
    expect(parseList(list({ [key]: value }), 'x', '')[key]).toBe(expected)
  })

  test.each([
    ['no JSON', '{', 'x.conflist: is not JSON'],
    ['no object', '[]', 'x.conflist: holds JSON, but not an object'],
    ['no name', '{"plugins":[{"type":"a"}]}', 'x.conflist: name: is missing'],
    ['no plugins', '{"name":"a"}', 'x.conflist: plugins: is missing'],
    ['an empty list', '{"name":"a","plugins":[]}', 'x.conflist: plugins: [] is not a list of at least one plugin'],
    ['no type', '{"name":"a","plugins":[{}]}', 'x.conflist: plugins[0].type: is missing'],
    ['a flag of another kind', list({ disableGC: 3 }), 'x.conflist: disableGC: 3 is neither true nor false'],
    ['a version that is none', list({ cniVersions: ['one'] }), 'x.conflist: cniVersion: "one" is not a version'],
    ['cniVersions that is no list', list({ cniVersions: '1.0.0' }), 'x.conflist: cniVersions: "1.0.0" is not a list'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseList(text, 'x.conflist', '')).toThrow(message)
  })
})

describe('readNetworks()', () => {
  test('appends the plugins of the sibling folder, in the order of file names', () => {
    put('10.conflist', { name: 'pods', plugins: [{ type: 'bridge' }] })
    mkdirSync(join(folder, 'pods'))
    put('pods/20-b.conf', { type: 'tuning' })
    put('pods/10-a.conf', { type: 'portmap' })
    put('pods/30-c.json', { type: 'ignored' })
    expect(findNetwork(folder, 'pods').plugins.map(({ type }) => type)).toEqual(['bridge', 'portmap', 'tuning'])
  })

  test('leaves the sibling folder alone with loadOnlyInlinedPlugins', () => {
    put('10.conflist', { name: 'pods', loadOnlyInlinedPlugins: 'true', plugins: [{ type: 'bridge' }] })
    mkdirSync(join(folder, 'pods'))
    put('pods/10-a.conf', { type: 'portmap' })
    expect(findNetwork(folder, 'pods').plugins).toHaveLength(1)
  })

  test('takes a list without inlined plugins when the sibling folder has some', () => {
    put('10.conflist', { name: 'pods' })
    mkdirSync(join(folder, 'pods'))
    put('pods/10-a.conf', { type: 'bridge' })
    expect(findNetwork(folder, 'pods').plugins).toHaveLength(1)
  })

  test('puts lists before single configurations, and the first of a name counts', () => {
    put('00.conf', { name: 'pods', type: 'ptp', cniVersion: '0.4.0' })
    put('01.json', { name: 'other', type: 'ptp' })
    put('99.conflist', { name: 'pods', plugins: [{ type: 'bridge' }] })
    put('ignored.txt', 'not JSON')
    expect(readNetworks(folder).map(({ name, plugins }) => [name, plugins[0]?.type])).toEqual([
      ['pods', 'bridge'],
      ['other', 'ptp'],
    ])
  })

  test('makes a list of a single configuration', () => {
    put('00.conf', { name: 'pods', type: 'ptp', cniVersion: '0.4.0', mtu: 1400 })
    const { cniVersion, plugins, text } = findNetwork(folder, 'pods')
    expect({ cniVersion, plugins }).toEqual({
      cniVersion: '0.4.0',
      plugins: [{ name: 'pods', type: 'ptp', cniVersion: '0.4.0', mtu: 1400 }],
    })
    expect(JSON.parse(text)).toEqual({ name: 'pods', cniVersion: '0.4.0', plugins })
  })

  test('has nothing in a folder that does not exist', () => {
    expect(readNetworks(join(folder, 'none'))).toEqual([])
  })

  test('refuses a folder with a broken file, and names it', () => {
    put('00.conflist', '{')
    put('10.conflist', { name: 'pods', plugins: [{ type: 'bridge' }] })
    expect(() => findNetwork(folder, 'pods')).toThrow(join(folder, '00.conflist'))
  })

  test('says which networks there are', () => {
    put('10.conflist', { name: 'pods', plugins: [{ type: 'bridge' }] })
    expect(() => findNetwork(folder, 'pod')).toThrow(`no network "pod" is configured in ${folder}`)
    expect(() => findNetwork(folder, 'pod')).toThrow(expect.objectContaining({ details: 'configured there: pods' }))
  })
})

test('readNetwork() reads a list from a file of any name', () => {
  put('net.json', { name: 'pods', plugins: [{ type: 'bridge' }, { type: 'tuning' }] })
  expect(readNetwork(join(folder, 'net.json'), folder).plugins).toHaveLength(2)
})

test.each([
  ['1.0.0', '1.0.0', 0],
  ['0.4.0', '1.0.0', -1],
  ['1.1.0', '1.0.9', 1],
  ['0.10.0', '0.9.0', 1],
  ['1', '1.0.0', 0],
])('compareVersions(%s, %s) has the sign of %d', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign)
})
