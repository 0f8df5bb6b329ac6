import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Ip, ipOfNumber, parseIp } from '../../addr/ip.ts'
import { hexBytes } from '../../addr/mac.ts'
import { hexOf } from './hex.ts'
import { enlarged, type OwnerTable, pageAt, pageCountFor, placesOf, tableBuilder } from './owner-table.ts'
import {
  decodeEpoch,
  emptySlot,
  encodeEpoch,
  encodeSlot,
  epochOf,
  hashKey,
  PAGE,
  SLOTS,
  slotsOf,
  UNKNOWN,
} from './slot.ts'

const BOOT = 'b'.repeat(32)
const MACHINE = '0123456789abcdef'.repeat(2)
const epoch = epochOf(BOOT, MACHINE)

const find = ({ pages, reach }: OwnerTable, key: string): readonly Ip[] =>
  placesOf(hashKey(key), pages.length / PAGE, reach)
    .flatMap((page) => slotsOf(pageAt(pages, page), hashKey(key)))
    .map(({ address }) => address)

const tableOf = (
  entries: readonly (readonly [key: string, address: Ip])[],
  pages = pageCountFor(2 * entries.length),
) => {
  const builder = tableBuilder(pages)
  for (const [key, address] of entries) builder.add(encodeSlot(hashKey(key), address, encodeEpoch(epoch)))
  return builder.build()
}

test('a slot keeps an address of either family and its epoch', () => {
  for (const address of ['10.1.2.3', 'fd00::1', '255.255.255.255', '::1'] as const) {
    const page = new Uint8Array(PAGE)
    page.set(encodeSlot(hashKey('k'), parseIp(address), encodeEpoch(epoch)), 3 * 64)
    expect(slotsOf(page, hashKey('k')).map((slot) => [slot.index, slot.address, decodeEpoch(slot.epoch)])).toEqual([
      [3, address, epoch],
    ])
    expect(slotsOf(page, hashKey('other'))).toEqual([])
  }
})

test('emptySlot() is the first that is empty, undefined in a full page', () => {
  const page = new Uint8Array(PAGE)
  expect(emptySlot(page)).toBe(0)
  for (let i = 0; i < SLOTS; i++)
    page.set(encodeSlot(hashKey(`${i}`), parseIp('10.0.0.1'), encodeEpoch(UNKNOWN)), i * 64)
  expect(emptySlot(page)).toBeUndefined()
  page.fill(0, 5 * 64, 6 * 64)
  expect(emptySlot(page)).toBe(5)
})

test('a table finds every address of every owner, before and after it is enlarged', () => {
  const entries = [...Array(5000).keys()].map((i) => [`c${i >> 1}\r\neth0`, ipOfNumber(BigInt(i + 1), 4)] as const)
  const table = tableOf(entries)
  for (const each of [table, enlarged(table.pages)]) {
    expect(each.reach).toBe(1)
    for (const [i, [key, address]] of entries.entries()) {
      const other = ipOfNumber(BigInt((i ^ 1) + 1), 4)
      expect([...find(each, key)].sort()).toEqual([address, other].sort())
    }
  }
})

test('a table holds hundreds of addresses of one owner among others', () => {
  const many = [...Array(700).keys()].map((i) => ['reserved', ipOfNumber(BigInt(i), 4)] as const)
  const table = tableOf([...many, ['c\r\neth0', parseIp('10.0.0.1')]])
  expect(table.reach).toBeGreaterThan(1)
  expect(find(table, 'reserved')).toHaveLength(700)
  expect(find(table, 'c\r\neth0')).toEqual(['10.0.0.1'])
  expect(find(enlarged(table.pages), 'reserved')).toHaveLength(700)
})

test('pageCountFor() is a power of two with room', () => {
  expect([0, 1, 32, 33, 64, 60000].map(pageCountFor)).toEqual([1, 1, 1, 2, 2, 2048])
})

test('placesOf() meets every page once', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(1, 2, 8, 64), (key, pages) => {
      const places = placesOf(hashKey(key), pages, pages + 5)
      expect(new Set(places).size).toBe(pages)
    }),
  )
})

test('hexOf() and hexBytes() are inverse', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect([...hexBytes(hexOf(bytes))]).toEqual([...bytes])
      expect(hexOf(bytes)).toBe(Buffer.from(bytes).toString('hex'))
    }),
  )
})
