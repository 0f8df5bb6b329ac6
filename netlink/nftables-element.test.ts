import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeMessages, encodeMessages } from './message.ts'
import { decodeElements, type ElementSpec, newElements } from './nftables-element.ts'
import { decodeComment, decodeUdata, encodeComment, encodeUdata } from './nftables-userdata.ts'

const TABLE = { family: 1, name: 'table' }
const bytes = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength })
const comment = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((text) => !text.includes('\0'))

const element: fc.Arbitrary<ElementSpec> = fc.record(
  {
    key: bytes(64),
    keyEnd: bytes(64),
    flags: fc.integer({ min: 1, max: 3 }),
    data: fc.oneof(
      bytes(64),
      fc.record(
        { code: fc.integer({ min: 0, max: 0xffffffff }), chain: fc.stringMatching(/^[a-z-]{1,40}$/) },
        { requiredKeys: ['code'] },
      ),
    ),
    timeout: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    comment,
  },
  { requiredKeys: ['key'] },
)

const roundTrip = (elements: readonly ElementSpec[]): ElementSpec[] =>
  decodeMessages(encodeMessages(newElements(TABLE, 'set', elements), 1)).flatMap(decodeElements)

test('decodeElements() of newElements() yields the elements again', () => {
  fc.assert(
    fc.property(fc.array(element, { maxLength: 20 }), (elements) => {
      expect(roundTrip(elements)).toEqual(elements)
    }),
  )
})

test('newElements() splits a long list into messages whose attributes fit a u16, and loses none', () => {
  const many = Array.from(
    { length: 5000 },
    (_, i): ElementSpec => ({ key: Uint8Array.of(i >> 8, i), comment: `c${i}` }),
  )
  const messages = newElements(TABLE, 'set', many)
  expect(messages.length).toBeGreaterThan(2)
  expect(messages.every((message) => encodeMessages([message], 1).length < 65_536)).toBe(true)
  expect(roundTrip(many)).toEqual(many)
})

test('newElements() of none sends nothing', () => {
  expect(newElements(TABLE, 'set', [])).toEqual([])
})

test('decodeUdata() of encodeUdata() yields the TLVs again', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 255 }))), (list) => {
      expect(decodeUdata(encodeUdata(list))).toEqual(list)
    }),
  )
})

test('decodeComment() reads what encodeComment() wrote, cut to 127 bytes, and nothing elsewhere', () => {
  fc.assert(
    fc.property(comment, (text) => {
      expect(decodeComment(encodeComment(text))).toBe(text)
    }),
  )
  expect(decodeComment(encodeComment('x'.repeat(200)))).toBe('x'.repeat(127))
  expect(decodeComment(undefined)).toBe('')
  expect(decodeComment(encodeUdata([[3, Uint8Array.of(1)]]))).toBe('')
})
