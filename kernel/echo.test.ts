import { expect, test } from 'vitest'
import type { Ip } from '../addr/ip.ts'
import type { DatagramSocket } from './datagram.ts'
import { echoesOf } from './echo.ts'

/** An echo reply of ICMPv6 with the identifier 7. */
const REPLY = Uint8Array.of(129, 0, 0, 0, 0, 7, 0, 1)
const WAITING = Array.from({ length: 64 }, () => ({ from: 'fd00::2' as Ip, at: 0, bytes: REPLY }))

/** A socket that is sent more while it is read; it says how often it was. */
const flooded = (until = Number.POSITIVE_INFINITY) => {
  let reads = 0
  const receive: DatagramSocket['receive'] = () => {
    reads += 1
    if (reads > 10_000) throw new Error('read without end')
    return reads > until ? [] : WAITING
  }
  return { receive, reads: () => reads }
}

test('echoesOf() reads no more than a socket can hold, however fast more arrives', () => {
  const socket = flooded()
  expect(echoesOf(socket, 6, 7).length).toBeLessThan(10_000)
  expect(socket.reads()).toBeLessThan(100)
})

test('echoesOf() reads all that is waiting', () => expect(echoesOf(flooded(40), 6, 7)).toHaveLength(40 * 64))
