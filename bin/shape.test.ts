import { expect, test } from 'vitest'
import { shapeOf } from './shape.ts'

const base = {
  properties: { name: {}, ipam: { properties: { type: {} } } },
  definitions: { port: { properties: { hostPort: {} } } },
}
const shape = (schema: Record<string, unknown>): object => shapeOf(schema, { 'net.json': base, 'x.json': schema })

test('shapeOf() keeps the spelling of keys at every depth', () => {
  expect(shape({ properties: { ipMasq: {}, dns: { properties: { nameServers: {} } } } })).toEqual({
    keys: { ipmasq: ['ipMasq'], dns: ['dns', { keys: { nameservers: ['nameServers'] } }] },
  })
})

test('shapeOf() follows references and merges what allOf says', () => {
  const schema = {
    allOf: [{ $ref: 'net.json' }],
    properties: {
      ipam: { properties: { subnet: {} } },
      port: { $ref: 'net.json#/definitions/port' },
      own: { $ref: '#/definitions/o' },
    },
    definitions: { o: { properties: { A: {} } } },
  }
  expect(shape(schema)).toEqual({
    keys: {
      name: ['name'],
      ipam: ['ipam', { keys: { type: ['type'], subnet: ['subnet'] } }],
      port: ['port', { keys: { hostport: ['hostPort'] } }],
      own: ['own', { keys: { a: ['A'] } }],
    },
  })
})

test('shapeOf() describes elements of lists, and of lists of lists', () => {
  expect(
    shape({ properties: { r: { items: { items: { properties: { X: {} } } } }, s: { items: { type: 'string' } } } }),
  ).toEqual({
    keys: { r: ['r', { items: { items: { keys: { x: ['X'] } } } }], s: ['s'] },
  })
})

test('shapeOf() knows nothing of the keys of a map', () =>
  expect(shape({ properties: { sysctl: { additionalProperties: { type: 'string' } } } })).toEqual({
    keys: { sysctl: ['sysctl'] },
  }))

test('shapeOf() refuses a reference to nothing, and two spellings of one key', () => {
  expect(() => shape({ $ref: '#/definitions/none' })).toThrow('#/definitions/none in x.json leads nowhere')
  expect(() => shape({ properties: { hostIP: {}, hostIp: {} } })).toThrow('hostIP and hostIp')
})
