import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Attr,
  be16,
  be32,
  be64,
  decodeAttrList,
  decodeAttrs,
  decodeMessages,
  encodeAttrs,
  encodeMessages,
  readBe16,
  readBe32,
  readBe64,
  readText,
  readU16,
  readU32,
  readU64,
  u16,
  u32,
  u64,
} from './message.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test.for<[string, Attr, string]>([
  ['a string with its NUL, padded', [3, 'lo'], '0700 0300 6c6f00 00'],
  ['a number as u32 in host order', [4, 1500], '0800 0400 dc050000'],
  ['raw bytes as they are', [1, Uint8Array.of(1, 2, 3, 4, 5, 6)], '0a00 0100 010203040506 0000'],
  ['nested attributes, flagged', [18, [[1, 'x']]], '0c00 1280 0600 0100 7800 0000'],
  ['nothing', [9, new Uint8Array(0)], '0400 0900'],
])('encodeAttrs() writes %s', ([, attr, bytes]) => {
  expect(hex(encodeAttrs([attr]))).toBe(bytes.replaceAll(' ', ''))
})

test('encodeMessages() writes nlmsghdr, header and attributes, and numbers the messages', () => {
  const message = { type: 18, flags: 0x301, header: Uint8Array.of(1, 2, 3, 4), attrs: [[3, 'lo'] as const] }
  expect(hex(encodeMessages([message, message], 7))).toBe(
    [
      '1c000000 1200 0103 07000000 00000000 01020304 07000300 6c6f0000',
      '1c000000 1200 0103 08000000 00000000 01020304 07000300 6c6f0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

const attrs = fc.letrec<{ attr: Attr; value: Attr[1] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ maxLength: 20 }),
    fc.nat(0xffffffff),
    fc.array(tie('attr'), { maxLength: 4 }),
  ),
  attr: fc.tuple(fc.integer({ min: 1, max: 0x3fff }), tie('value')),
}))

const expected = (value: Attr[1]): string =>
  typeof value === 'number'
    ? hex(u32(value))
    : typeof value === 'string'
      ? hex(Buffer.from(`${value}\0`))
      : value instanceof Uint8Array
        ? hex(value)
        : hex(encodeAttrs(value))

test('decodeAttrList() gives back every attribute that encodeAttrs() wrote', () => {
  fc.assert(
    fc.property(fc.array(attrs.attr, { maxLength: 6 }), (list) => {
      expect(decodeAttrList(encodeAttrs(list)).map(([type, value]) => [type, hex(value)])).toEqual(
        list.map(([type, value]) => [type, expected(value)]),
      )
    }),
  )
})

test('decodeMessages() and decodeAttrs() never throw and never read past the end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const { body } of decodeMessages(bytes)) expect(body.length).toBeLessThanOrEqual(bytes.length)
      for (const value of decodeAttrs(bytes).values()) expect(value.length).toBeLessThanOrEqual(bytes.length)
    }),
  )
})

test('numbers come back from their bytes in both byte orders', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffffffff), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (a, b, c) => {
      expect([readU16(u16(a)), readBe16(be16(a)), readU32(u32(b)), readBe32(be32(b))]).toEqual([a, a, b, b])
      expect([readU64(u64(c)), readBe64(be64(c))]).toEqual([c, c])
    }),
  )
})

test.for([
  ['stops at the NUL', Uint8Array.of(0x6c, 0x6f, 0, 0x78), 'lo'],
  ['takes all without one', Uint8Array.of(0x6c, 0x6f), 'lo'],
  ['is empty for an absent attribute', undefined, ''],
] as const)('readText() %s', ([, bytes, text]) => {
  expect(readText(bytes)).toBe(text)
})
