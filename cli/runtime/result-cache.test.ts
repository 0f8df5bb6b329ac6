import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CacheEntry, readCache, readEntry, removeEntry, writeEntry } from './result-cache.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-cache-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const entry: CacheEntry = {
  network: 'pods',
  containerID: 'c1',
  ifName: 'eth0',
  config: '{"name":"pods"}',
  netns: '/run/netns/c1',
  args: [['K8S_POD_NAME', 'web']],
  capabilities: { portMappings: [{ hostPort: 80 }] },
  result: { cniVersion: '1.0.0', ips: [] },
}

test('writeEntry() writes what libcni writes, for nobody else to read', () => {
  writeEntry(folder, entry)
  const path = join(folder, 'results', 'pods-c1-eth0')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    kind: 'cniCacheV1',
    containerId: 'c1',
    config: 'eyJuYW1lIjoicG9kcyJ9',
    ifName: 'eth0',
    networkName: 'pods',
    netns: '/run/netns/c1',
    cniArgs: [['K8S_POD_NAME', 'web']],
    capabilityArgs: { portMappings: [{ hostPort: 80 }] },
    result: { cniVersion: '1.0.0', ips: [] },
  })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'results')).mode & 0o777).toBe(0o700)
  expect(readdirSync(folder)).toEqual(['results'])
})

test('readEntry() returns what writeEntry() wrote', () => {
  writeEntry(folder, entry)
  expect(readEntry(folder, entry)).toEqual(entry)
  expect(readCache(folder)).toEqual([entry])
})

test('writeEntry() replaces an entry', () => {
  writeEntry(folder, entry)
  writeEntry(folder, { ...entry, netns: '/run/netns/other' })
  expect(readCache(folder)?.map(({ netns }) => netns)).toEqual(['/run/netns/other'])
})

test('removeEntry() removes one entry, and nothing when there is none', () => {
  writeEntry(folder, entry)
  writeEntry(folder, { ...entry, ifName: 'eth1' })
  removeEntry(folder, entry)
  removeEntry(folder, entry)
  expect(readCache(folder)?.map(({ ifName }) => ifName)).toEqual(['eth1'])
})

test.each([
  ['another kind', '{"kind":"other"}'],
  ['a result of libcni before 0.8', '{"cniVersion":"0.4.0","ips":[]}'],
  ['half a file', '{"kind":"cniCach'],
  ['nothing', ''],
  ['no interface', '{"kind":"cniCacheV1","networkName":"pods"}'],
])('readCache() passes over a file that holds %s', (_, text) => {
  writeEntry(folder, entry)
  writeFileSync(join(folder, 'results', 'x'), text)
  expect(readCache(folder)).toEqual([entry])
})

test('readCache() tells a missing folder from an empty one', () => {
  expect(readCache(folder)).toBeUndefined()
  writeEntry(folder, entry)
  removeEntry(folder, entry)
  expect(readCache(folder)).toEqual([])
})
