import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Attr, be32, encodeAttrs } from './message.ts'
import { decodeInstructions, encodeInstructions, fingerprintOf, type Instruction } from './nftables-instruction.ts'
import * as op from './nftables-opcode.ts'

const bytes = fc.uint8Array({ minLength: 1, maxLength: 16 })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const name = fc.stringMatching(/^[a-z-]{1,20}$/)
const once = fc.constantFrom<Instruction>(op.counter, op.notrack, op.masq(16), op.reject(2, 1))

const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  fc.tuple(u32, u32).map(([key, reg]) => op.loadMeta(key, reg)),
  fc.tuple(u32, u32, fc.constantFrom(0, 1, undefined)).map((args) => op.loadCt(...args)),
  fc.tuple(u32, u32, u32, u32).map((args) => op.loadPayload(...args)),
  fc.tuple(u32, bytes).map((args) => op.loadValue(...args)),
  fc.tuple(u32, name).map((args) => op.verdict(...args)),
  fc.tuple(u32, bytes, bytes).map((args) => op.bitwise(...args)),
  fc.tuple(u32, u32, bytes).map((args) => op.cmp(...args)),
  fc.tuple(u32, bytes, bytes).map((args) => op.outsideRange(...args)),
  fc.tuple(u32, u32, u32, u32).map((args) => op.loadNumgen(...args)),
  once,
)

/** Attributes with text as the bytes it is sent as. */
const sent = (attrs: readonly Attr[]): readonly Attr[] =>
  attrs.map(([type, value]): Attr => {
    if (typeof value === 'string') return [type, new TextEncoder().encode(`${value}\0`)]
    return [type, Array.isArray(value) ? sent(value as readonly Attr[]) : value]
  })

const encoded = (list: readonly Instruction[]): Uint8Array => encodeAttrs([[4, encodeInstructions(list)]]).subarray(4)

test('decodeInstructions() of encodeInstructions() yields the instructions again', () => {
  fc.assert(
    fc.property(fc.array(instruction, { maxLength: 8 }), (list) => {
      expect(decodeInstructions(encoded(list))).toEqual(list.map((each) => ({ ...each, attrs: sent(each.attrs) })))
    }),
  )
})

test('fingerprintOf() is the same for what was sent and what is read back', () => {
  fc.assert(
    fc.property(fc.array(instruction, { maxLength: 8 }), (list) => {
      expect(decodeInstructions(encoded(list)).map(fingerprintOf)).toEqual(list.map(fingerprintOf))
    }),
  )
})

const SAME: readonly (readonly [what: string, ours: Instruction, kernel: readonly Attr[]])[] = [
  [
    'counts',
    op.counter,
    [
      [1, new Uint8Array(8).fill(7)],
      [2, new Uint8Array(8).fill(9)],
    ],
  ],
  ['an operation of 0', op.bitwise(1, be32(1), be32(0)), [[6, be32(0)]]],
  [
    'the end of a NAT range, and implied flags',
    op.nat(1, 2, 1, 9, 0),
    [
      [4, be32(1)],
      [6, be32(9)],
      [7, be32(3)],
    ],
  ],
  ['the default level of a log', op.log('x'), [[5, be32(4)]]],
]
test.for(SAME)('fingerprintOf() is blind to %s that the kernel adds', ([, ours, kernel]) => {
  expect(fingerprintOf({ ...ours, attrs: [...ours.attrs, ...kernel] })).toBe(fingerprintOf(ours))
})

const OTHER: readonly (readonly [what: string, a: Instruction, b: Instruction])[] = [
  ['a register', op.loadMeta(3, 1), op.loadMeta(3, 2)],
  ['a value', op.cmp(1, 0, be32(1)), op.cmp(1, 0, be32(2))],
  ['a verdict', op.verdict(0), op.verdict(1)],
  ['the chain of a jump', op.verdict(0xfffffffd, 'a'), op.verdict(0xfffffffd, 'b')],
  ['a flag of NAT', op.nat(1, 2, 1, 9, 0), op.nat(1, 2, 1, 9, 4)],
  ['an inverted lookup', op.lookup('set', 1), op.lookup('set', 1, undefined, true)],
]
test.for(OTHER)('fingerprintOf() sees %s', ([, a, b]) => {
  expect(fingerprintOf(a)).not.toBe(fingerprintOf(b))
})
