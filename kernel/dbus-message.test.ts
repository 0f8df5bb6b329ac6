import { expect, test } from 'vitest'
import { decodeAnswer, encodeCall, HEADER_SIZE, messageLength } from './dbus-message.ts'

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : [...part])),
  )

test('encodeCall() lays a call out as the specification says', () => {
  const call = { destination: 'a.b', path: '/a', interface: 'a.c', member: 'M', args: ['zone', 'x'] }
  expect(encodeCall(call, 7)).toEqual(
    bytes(
      ['l'.charCodeAt(0), 1, 2, 1],
      [18, 0, 0, 0], // body
      [7, 0, 0, 0], // serial
      [72, 0, 0, 0], // fields
      [1, 1, ...bytes('o'), 0, 2, 0, 0, 0],
      '/a',
      [0, 0, 0, 0, 0, 0],
      [2, 1, ...bytes('s'), 0, 3, 0, 0, 0],
      'a.c',
      [0, 0, 0, 0, 0],
      [3, 1, ...bytes('s'), 0, 1, 0, 0, 0],
      'M',
      [0, 0, 0, 0, 0, 0, 0],
      [6, 1, ...bytes('s'), 0, 3, 0, 0, 0],
      'a.b',
      [0, 0, 0, 0, 0],
      [8, 1, ...bytes('g'), 0, 2],
      'ss',
      [0],
      [4, 0, 0, 0],
      'zone',
      [0, 0, 0, 0],
      [1, 0, 0, 0],
      'x',
      [0],
    ),
  )
})

/** As dbus-daemon answers NameHasOwner, and firewalld an error. */
const TRUE = bytes(
  ['l'.charCodeAt(0), 2, 1, 1, 4, 0, 0, 0, 3, 0, 0, 0, 61, 0, 0, 0],
  [6, 1],
  's',
  [0, 4, 0, 0, 0],
  ':1.7',
  [0, 0, 0, 0],
  [5, 1],
  'u',
  [0, 2, 0, 0, 0],
  [8, 1],
  'g',
  [0, 1],
  'b',
  [0, 0],
  [7, 1],
  's',
  [0, 20, 0, 0, 0],
  'org.freedesktop.DBus',
  [0, 0, 0, 0],
  [1, 0, 0, 0],
)
const REFUSED = bytes(
  ['l'.charCodeAt(0), 3, 1, 1, 17, 0, 0, 0, 9, 0, 0, 0, 32, 0, 0, 0],
  [4, 1],
  's',
  [0, 3, 0, 0, 0],
  'a.E',
  [0, 0, 0, 0, 0],
  [5, 1],
  'u',
  [0, 5, 0, 0, 0],
  [8, 1],
  'g',
  [0, 2],
  'ss',
  [0],
  [7, 0, 0, 0],
  'WHY: it',
  [0, 0, 0, 0, 0, 0],
)

test('decodeAnswer() reads who is answered, and the first value', () => {
  expect(decodeAnswer(TRUE)).toEqual({ type: 2, replySerial: 2, errorName: '', value: true })
  expect(decodeAnswer(REFUSED)).toEqual({ type: 3, replySerial: 5, errorName: 'a.E', value: 'WHY: it' })
})

test('messageLength() comes from the header alone, and has a bound', () => {
  const fields = new DataView(TRUE.buffer).getUint32(12, true)
  expect(messageLength(TRUE.subarray(0, HEADER_SIZE))).toBe(HEADER_SIZE + Math.ceil(fields / 8) * 8 + 4)
  expect(() => messageLength(bytes('l', [2, 1, 1, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0]))).toThrow(
    'more than',
  )
})
