import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fold, type Shape } from './fold.ts'
import type { Json } from './plugin.ts'

const shape: Shape = {
  keys: {
    hostport: ['hostPort'],
    sysctl: ['sysctl'],
    dns: ['dns', { keys: { nameservers: ['nameservers'] } }],
    mappings: ['mappings', { items: { keys: { hostip: ['hostIP'] } } }],
    ranges: ['ranges', { items: { items: { keys: { subnet: ['subnet'] } } } }],
  },
}

test.each<[string, Json, Json]>([
  ['any case of a known key', { HostPort: 1 }, { hostPort: 1 }],
  ['keys below it', { DNS: { NameServers: ['a'] } }, { dns: { nameservers: ['a'] } }],
  [
    'keys of list elements',
    { Mappings: [{ HOSTIP: 'a' }, { hostIP: 'b' }] },
    { mappings: [{ hostIP: 'a' }, { hostIP: 'b' }] },
  ],
  ['keys in lists of lists', { ranges: [[{ Subnet: 'a' }]] }, { ranges: [[{ subnet: 'a' }]] }],
  ['the letters Go folds', { 'ho\u017ftPort': 1, 'mapping\u017f': [] }, { hostPort: 1, mappings: [] }],
])('fold() folds %s', (_, json, folded) => expect(fold(json, shape)).toEqual(folded))

test('fold() keeps unknown keys as they are, and the keys of maps', () => {
  const json = { Other: { HostPort: 1 }, sysctl: { 'net.core.SOMAXCONN': '1' }, constructor: 1, toString: 2 }
  expect(fold(json, shape)).toEqual(json)
})

test('fold() leaves out known keys that are null, and no others', () => {
  expect(fold({ hostPort: null, dns: { NameServers: null }, other: null }, shape)).toEqual({ dns: {}, other: null })
})

test('fold() takes the last of keys that fold to one', () => {
  expect(fold({ hostPort: 1, HOSTPORT: 2 }, shape)).toEqual({ hostPort: 2 })
  expect(fold({ HOSTPORT: 2, hostPort: 1 }, shape)).toEqual({ hostPort: 1 })
})

test('fold() makes an own property of __proto__', () => {
  const folded = fold(JSON.parse('{"__proto__": {"hostPort": 1}}'), shape)
  expect(Object.hasOwn(folded as object, '__proto__')).toBe(true)
  expect(Object.getPrototypeOf(folded)).toBe(Object.prototype)
})

test('fold() is total and does a second time what it did the first', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const once = fold(json as Json, shape)
      expect(fold(once, shape)).toEqual(once)
    }),
  )
})
