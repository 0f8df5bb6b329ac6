import { expect, test } from 'vitest'
import { DecodeError } from '../../addr/error.ts'
import { ipNumber, parseIp } from '../../addr/ip.ts'
import {
  type ConfiguredSet,
  completeRange,
  completeSets,
  inRange,
  type RangeKeys,
  rangeFor,
  renderRange,
  renderSet,
  sizeOf,
} from './range.ts'

const completed: readonly (readonly [keys: RangeKeys, start: string, end: string, gateway: string, size: bigint])[] = [
  [{ subnet: '10.1.0.0/24' }, '10.1.0.1', '10.1.0.254', '10.1.0.1', 253n],
  [{ subnet: '10.1.0.0/30' }, '10.1.0.1', '10.1.0.2', '10.1.0.1', 1n],
  [{ subnet: 'fd00::/126' }, 'fd00::1', 'fd00::3', 'fd00::1', 2n],
  [{ subnet: 'fd00::/64' }, 'fd00::1', 'fd00::ffff:ffff:ffff:ffff', 'fd00::1', (1n << 64n) - 2n],
  [{ subnet: '10.1.0.0/24', gateway: '10.1.0.254' }, '10.1.0.1', '10.1.0.254', '10.1.0.254', 253n],
  [{ subnet: '10.1.0.0/24', gateway: '192.168.0.1' }, '10.1.0.1', '10.1.0.254', '192.168.0.1', 254n],
  [
    { subnet: '10.1.0.0/24', rangeStart: '10.1.0.10', rangeEnd: '10.1.0.19' },
    '10.1.0.10',
    '10.1.0.19',
    '10.1.0.1',
    10n,
  ],
  [
    { subnet: '10.1.0.0/24', rangeStart: '10.1.0.0', rangeEnd: '10.1.0.255' },
    '10.1.0.0',
    '10.1.0.255',
    '10.1.0.1',
    255n,
  ],
  [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.9', rangeEnd: '10.1.0.9' }, '10.1.0.9', '10.1.0.9', '10.1.0.1', 1n],
  [{ subnet: '10.1.0.0/24', rangeStart: '', rangeEnd: '', gateway: '' }, '10.1.0.1', '10.1.0.254', '10.1.0.1', 253n],
  [{ subnet: 'FD00:0::/112', rangeStart: 'fd00::000A' }, 'fd00::a', 'fd00::ffff', 'fd00::1', 65526n],
]
test.each(completed)('completeRange() fills in %j', (keys, start, end, gateway, size) => {
  const range = completeRange(keys, '$')
  expect([renderRange(range), range.gateway]).toEqual([`${start}-${end}`, gateway])
  expect(sizeOf(range)).toBe(size)
})

const refused: readonly (readonly [keys: RangeKeys, path: string, found: string])[] = [
  [{}, '$.subnet', '""'],
  [{ subnet: '10.1.0.0' }, '$.subnet', '"10.1.0.0"'],
  [{ subnet: '10.1.0.0/31' }, '$.subnet', '/30 or shorter'],
  [{ subnet: '10.1.0.0/32' }, '$.subnet', '/30 or shorter'],
  [{ subnet: 'fd00::/127' }, '$.subnet', '/126 or shorter'],
  [{ subnet: '10.1.0.5/24' }, '$.subnet', '10.1.0.0/24'],
  [{ subnet: 'fd00::1/64' }, '$.subnet', 'fd00::/64'],
  [{ subnet: '10.1.0.0/24', rangeStart: '10.1.1.1' }, '$.rangeStart', '10.1.0.0/24'],
  [{ subnet: '10.1.0.0/24', rangeStart: 'fd00::1' }, '$.rangeStart', '10.1.0.0/24'],
  [{ subnet: '10.1.0.0/24', rangeStart: 'x' }, '$.rangeStart', '"x"'],
  [{ subnet: '10.1.0.0/24', rangeEnd: '10.0.255.255' }, '$.rangeEnd', '10.1.0.0/24'],
  [{ subnet: '10.1.0.0/24', gateway: 'fd00::1' }, '$.gateway', '10.1.0.0/24'],
  [{ subnet: '10.1.0.0/24', gateway: '10.1.0.1/24' }, '$.gateway', '"10.1.0.1/24"'],
  [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.20', rangeEnd: '10.1.0.10' }, '$', '10.1.0.20'],
  [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.255' }, '$', '10.1.0.254'],
]
test.each(refused)('completeRange() refuses %j at %s', (keys, path, found) => {
  expect(() => completeRange(keys, '$')).toThrow(expect.objectContaining({ name: 'DecodeError', path }))
  expect(() => completeRange(keys, '$')).toThrow(found)
})

const setsOf = (...sets: readonly (readonly RangeKeys[])[]): readonly ConfiguredSet[] =>
  sets.map((set, i) => ({ path: `$[${i}]`, ranges: set.map((keys, j) => ({ keys, path: `$[${i}][${j}]` })) }))

const low = { subnet: '10.1.0.0/24', rangeStart: '10.1.0.10', rangeEnd: '10.1.0.19' }
const high = { subnet: '10.1.0.0/24', rangeStart: '10.1.0.20', rangeEnd: '10.1.0.29' }
const around = { subnet: '10.1.0.0/16', rangeStart: '10.1.0.15', rangeEnd: '10.1.9.9' }
const inside = { subnet: '10.1.0.0/24', rangeStart: '10.1.0.12', rangeEnd: '10.1.0.13' }
const v6 = { subnet: 'fd00::/64' }

test('completeSets() takes ranges side by side in one subnet, in one set or in two', () => {
  expect(completeSets(setsOf([low, high], [v6])).map(renderSet)).toEqual([
    '10.1.0.10-10.1.0.19, 10.1.0.20-10.1.0.29',
    'fd00::1-fd00::ffff:ffff:ffff:ffff',
  ])
  expect(completeSets(setsOf([low], [high]))).toHaveLength(2)
})

test.each([
  ['a set twice', setsOf([low], [low]), '$[1][0]'],
  ['ranges of one set', setsOf([low, high, around]), '$[0][2]'],
  ['a range inside one of another set', setsOf([low], [v6], [high, inside]), '$[2][1]'],
  ['a range around one of another set', setsOf([inside], [low]), '$[1][0]'],
  ['an empty set', setsOf([low], []), '$[1]'],
  ['two families in a set', setsOf([low, v6]), '$[0]'],
])('completeSets() refuses %s', (_, configured, path) => {
  expect(() => completeSets(configured)).toThrow(DecodeError)
  expect(() => completeSets(configured)).toThrow(expect.objectContaining({ path }))
})

test('rangeFor() finds the range by its bounds, not by its subnet', () => {
  const [set = []] = completeSets(setsOf([low, high]))
  expect(rangeFor(set, parseIp('10.1.0.20'))?.start).toBe(ipNumber(parseIp('10.1.0.20')))
  expect(rangeFor(set, parseIp('10.1.0.9'))).toBeUndefined()
  expect(rangeFor(set, parseIp('10.1.0.30'))).toBeUndefined()
  expect(set[0] && inRange(set[0], parseIp('::a01:a'))).toBe(false)
})
