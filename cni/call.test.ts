import { expect, test } from 'vitest'
import { callOf } from './call.ts'
import type { Entry } from './entry.ts'
import type { Verb } from './plugin.ts'
import { versionsSince } from './version.ts'

const entry: Entry = {
  type: 'last',
  about: '',
  versions: versionsSince('0.1.0'),
  chained: true,
  schema: { shape: {}, args: undefined, words: {}, validate: () => true },
  run: () => undefined,
  preview: () => undefined,
}
const env = { CNI_CONTAINERID: 'c', CNI_NETNS: '/run/netns/c', CNI_IFNAME: 'eth0', CNI_PATH: '/opt/cni/bin' }
const call = (verb: Verb, keys: object) =>
  callOf(entry, verb, env, JSON.stringify({ cniVersion: '1.0.0', name: 'n', type: 'last', ...keys }), () => undefined)

const WRONG = { prevResult: { ips: [{ address: 'nonsense' }] } }

test.for(['ADD', 'CHECK'] as const)('callOf() of %s refuses a previous result that does not decode', (verb) => {
  expect(() => call(verb, WRONG)).toThrow('$.prevResult.ips[0].address')
})

test('callOf() of DEL refuses it only when it is looked at: a plugin that needs none cleans up', () => {
  const del = call('DEL', WRONG)
  expect(del.containerID).toBe('c')
  expect(() => del.prevResult).toThrow('$.prevResult.ips[0].address')
})

test('callOf() of DEL decodes a previous result once, and has it when it is copied', () => {
  const del = call('DEL', { prevResult: { ips: [{ address: '10.1.0.2/24' }] } })
  expect(del.prevResult).toEqual({ ips: [{ address: '10.1.0.2/24' }] })
  expect(del.prevResult).toBe(del.prevResult)
  expect({ ...del }.prevResult).toBe(del.prevResult)
  expect(call('DEL', {}).prevResult).toBeUndefined()
})
