import { expect, test } from 'vitest'
import { isNotFound } from './error.ts'
import { genericBody, genericMessage, openGeneric } from './generic.ts'
import { decodeMessages, encodeMessages, u16 } from './message.ts'

test('genericMessage() puts a genlmsghdr before the attributes', () => {
  const bytes = encodeMessages([genericMessage(0x1b, 1, 0x300, [[1, u16(7)]], 2)], 9)
  expect(Buffer.from(bytes).toString('hex')).toBe(
    [
      '1c000000 1b00 0103 09000000 00000000', // nlmsghdr: length, type, flags, sequence number, port
      '01 02 0000', // genlmsghdr: command, version
      '0600 0100 0700 0000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

test('genericBody() is what follows the genlmsghdr', () => {
  const [message] = decodeMessages(encodeMessages([genericMessage(0x1b, 1, 0, [[1, 'x']])], 1))
  expect(message && Buffer.from(genericBody(message)).toString('hex')).toBe('0600010078000000')
})

test('family() of the controller itself is GENL_ID_CTRL, and an absent one names its module', () => {
  const socket = openGeneric(-1)
  try {
    expect([socket.family('nlctrl'), socket.family('nlctrl')]).toEqual([0x10, 0x10])
    const ask = () => socket.family('podwire-none')
    expect(ask).toThrow(/family podwire-none: ENOENT.*try `modprobe podwire-none`/)
    expect(ask).toThrow(expect.toSatisfy(isNotFound))
  } finally {
    socket.close()
  }
})
