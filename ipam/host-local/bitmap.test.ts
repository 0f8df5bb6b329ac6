import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipNumber, parseIp } from '../../addr/ip.ts'
import { bitOf, type Chunks, chunkName, clearBit, firstClear, markerOf, searchOf, setBit } from './bitmap.ts'

const number = (text: string): bigint => ipNumber(parseIp(text))

test.each([
  ['10.1.0.0', 'used-10.1.0.0_17'],
  ['10.1.127.255', 'used-10.1.0.0_17'],
  ['10.1.128.0', 'used-10.1.128.0_17'],
  ['fd00::1', 'used-fd00::_113'],
  ['fd00::8000', 'used-fd00::8000_113'],
] as const)('chunkName() of %s is %s', (address, name) => {
  expect(chunkName(number(address), address.includes(':') ? 6 : 4)).toBe(name)
})

test('firstClear() agrees with a search bit by bit', () => {
  const bits = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.map((b) => (b > 100 ? 0xff : b)))
  const bounds = fc.tuple(fc.nat(63), fc.nat(63))
  fc.assert(
    fc.property(bits, bounds, (bytes, [from, to]) => {
      const plain = [...Array(64).keys()].find(
        (bit) => bit >= from && bit <= to && ((bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) === 0,
      )
      expect(firstClear(bytes, from, to)).toBe(plain ?? -1)
    }),
    { numRuns: 2000 },
  )
})

test('setBit() and clearBit() change one bit', () => {
  const bits = new Uint8Array(4)
  setBit(bits, 9)
  setBit(bits, 9)
  setBit(bits, 31)
  expect([...bits]).toEqual([0, 2, 0, 0x80])
  clearBit(bits, 9)
  expect([...bits]).toEqual([0, 0, 0, 0x80])
})

const search = (chunks: Chunks) => searchOf((name) => chunks.get(name))
const marked = (...addresses: readonly string[]): Chunks => {
  const chunks: Chunks = new Map()
  const mark = markerOf(chunks)
  for (const address of addresses) mark(number(address), address.includes(':') ? 6 : 4)
  return chunks
}

test('searchOf() finds the first that is not marked, over the border of chunks', () => {
  const chunks: Chunks = new Map([[chunkName(number('10.1.0.0'), 4), new Uint8Array(4096).fill(0xff)]])
  markerOf(chunks)(number('10.1.128.0'), 4)
  expect(search(chunks)(number('10.1.0.2'), number('10.1.255.254'), 4)).toBe(number('10.1.128.1'))
  expect(search(chunks)(number('10.1.0.2'), number('10.1.128.0'), 4)).toBeUndefined()
  expect(search(chunks)(number('10.1.0.2'), number('10.1.127.255'), 4)).toBeUndefined()
})

test('searchOf() finds nothing reserved where there is no chunk, however large the range is', () => {
  expect(search(marked('fd00::1'))(number('fd01::'), number('fdff::'), 6)).toBe(number('fd01::'))
  expect(search(marked('fd00::1', 'fd00::2'))(number('fd00::1'), number('fd00::ffff:ffff:ffff:ffff'), 6)).toBe(
    number('fd00::3'),
  )
})

test('bitOf() counts from the start of the chunk', () => {
  expect(bitOf(number('10.1.0.7'))).toBe(7)
  expect(bitOf(number('10.1.128.7'))).toBe(7)
  expect(bitOf(number('fd00::7fff'))).toBe(32767)
})
