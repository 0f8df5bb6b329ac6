import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError } from '../../../addr/error.ts'
import { bool, int64, many, message, one, text } from './protobuf.ts'

const Inner = message({ id: int64(1) })
const Outer = message({ name: text(1), count: int64(2), isOn: bool(3), inner: one(4, Inner), list: many(16, Inner) })

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const ofHex = (digits: string): Uint8Array => Buffer.from(digits.replaceAll(' ', ''), 'hex')
const EMPTY = { name: '', count: 0n, isOn: false, inner: undefined, list: [] }

describe('encode()', () => {
  // the first two are those of https://protobuf.dev/programming-guides/encoding/
  test.for<[name: string, values: Parameters<typeof Outer.encode>[0], want: string]>([
    ['writes 150 as a varint', { count: 150n }, '10 9601'],
    ['writes a string with its length', { name: 'testing' }, '0a 07 74657374696e67'],
    ['leaves out what is the default', { name: '', count: 0n, isOn: false, list: [] }, ''],
    ['writes -1 in ten bytes', { count: -1n }, '10 ffffffffffffffffff01'],
    ['writes the largest lease id', { count: 2n ** 63n - 1n }, '10 ffffffffffffffff7f'],
    ['writes an empty message that is there', { inner: {} }, '22 00'],
    ['writes every message of a list, under a number above 15', { list: [{ id: 1n }, {}] }, '8201 02 0801 8201 00'],
  ])('%s', ([, values, want]) => {
    expect(hex(Outer.encode(values))).toBe(want.replaceAll(' ', ''))
  })
})

describe('decode()', () => {
  test.for<[name: string, bytes: string, want: object]>([
    ['gives defaults to what is left out', '', EMPTY],
    ['takes the last of two values', '10 01 10 02', { ...EMPTY, count: 2n }],
    [
      'skips fields it does not know, of every wire type',
      '28 01 31 0102030405060708 3a 01 ff 45 01020304 18 01',
      { ...EMPTY, isOn: true },
    ],
    ['reads a number that is longer than it has to be', '10 8100', { ...EMPTY, count: 1n }],
  ])('%s', ([, bytes, want]) => {
    expect(Outer.decode(ofHex(bytes))).toEqual(want)
  })

  test.for<[name: string, bytes: string]>([
    ['that ends within a number', '10 96'],
    ['that ends within a field', '0a 07 74'],
    ['with a group', '0b'],
    ['with a number longer than ten bytes', '10 ffffffffffffffffffff01'],
    ['with bytes for a number', '12 01 00'],
    ['with a number for bytes', '08 01'],
  ])('refuses a message %s', ([, bytes]) => {
    expect(() => Outer.decode(ofHex(bytes))).toThrow(DecodeError)
  })

  test('is the inverse of encode()', () => {
    const int = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    const inner = fc.record({ id: int })
    const outer = fc.record({
      name: fc.string({ unit: 'grapheme' }),
      count: int,
      isOn: fc.boolean(),
      inner: fc.option(inner, { nil: undefined }),
      list: fc.array(inner),
    })
    fc.assert(
      fc.property(outer, (values) => {
        expect(Outer.decode(Outer.encode(values))).toEqual(values)
      }),
    )
  })

  test('ends with a message or a DecodeError whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          Outer.decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })
})
