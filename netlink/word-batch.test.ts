/** What is written from words is what the builders of messages write, but for the answer that nobody asks for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, cidrOf } from '../addr/cidr.ts'
import { type Ip, ipOf } from '../addr/ip.ts'
import { type Mac, macOf } from '../addr/mac.ts'
import { encodeMessages, type Message, NLM_F_ACK } from './message.ts'
import { delNeigh, type Neigh, newNeigh } from './neigh.ts'
import { encodeNeighWords, neighWords } from './neigh-words.ts'
import { delRoute, newRoute, type RouteSpec, replaceRoute } from './route.ts'
import { encodeRouteWords, routeWords } from './route-words.ts'
import type { NetlinkSocket } from './socket.ts'
import { type Batch, makeBatch, sendAll, type Verb } from './word-batch.ts'
import { makeWords } from './words.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const written = (encode: (batch: Batch) => void): string => {
  const batch = makeBatch()
  encode(batch)
  return hex(new Uint8Array(batch.words.buffer, 0, batch.length * 4))
}
const built = (message: Message): string => hex(encodeMessages([{ ...message, flags: message.flags & ~NLM_F_ACK }], 0))

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const indexes = fc.integer({ min: 1, max: 0x7fffffff })
const verbs = fc.constantFrom<Verb>('add', 'replace', 'remove')

const route = (family: 4 | 6) => {
  const address = bytesOf(family === 4 ? 4 : 16)
    .map(ipOf)
    .filter((ip) => ip.includes(':') === (family === 6))
  const length = fc.integer({ min: 1, max: family === 4 ? 32 : 128 })
  return fc.record(
    {
      dst: fc.tuple(address, length).map(([ip, bits]) => cidrOf(ip, bits)),
      priority: fc.integer({ min: 1, max: 0xffffffff }),
      via: address,
      src: address,
      onlink: fc.boolean(),
      mtu: fc.nat(9000),
      advmss: fc.nat(9000),
      table: fc.integer({ min: 1, max: 0xffffffff }),
      scope: fc.nat(255),
      protocol: fc.nat(255),
      blackhole: fc.boolean(),
    },
    { requiredKeys: ['dst', 'priority'] },
  )
}
const ROUTES = { add: newRoute, replace: replaceRoute, remove: delRoute }

test('encodeRouteWords() writes what newRoute(), replaceRoute() and delRoute() do', () => {
  const routes: fc.Arbitrary<RouteSpec> = fc.oneof(route(4), route(6))
  fc.assert(
    fc.property(indexes, routes, verbs, (index, spec, verb) => {
      const words = makeWords()
      routeWords(words, index, spec)
      expect(written((batch) => encodeRouteWords(batch, verb, words))).toBe(built(ROUTES[verb](index, spec)))
    }),
    { numRuns: 500 },
  )
})

test('encodeNeighWords() writes what newNeigh() and delNeigh() do', () => {
  const neighs: fc.Arbitrary<Neigh> = fc.record(
    {
      table: fc.constantFrom('neigh' as const, 'fdb' as const),
      ip: fc.oneof(bytesOf(4), bytesOf(16)).map(ipOf),
      lladdr: bytesOf(6).map(macOf),
      protocol: fc.integer({ min: 1, max: 255 }),
    },
    { requiredKeys: ['table', 'ip', 'lladdr'] },
  )
  fc.assert(
    fc.property(indexes, neighs, verbs, (index, entry, verb) => {
      const words = makeWords()
      neighWords(words, index, entry)
      const message = verb === 'remove' ? delNeigh(index, entry) : newNeigh(index, entry)
      const marked = entry.protocol !== undefined
      expect(written((batch) => encodeNeighWords(batch, verb, words, marked))).toBe(built(message))
    }),
    { numRuns: 500 },
  )
})

test("IPv6's metric is stated, and a default route has no destination", () => {
  const words = makeWords()
  routeWords(words, 3, { dst: '::/0' as Cidr, via: 'fe80::1' as Ip })
  expect(written((batch) => encodeRouteWords(batch, 'add', words))).toBe(
    [
      '48000000 1800 0106 00000000 00000000',
      '0a000000 fe03 0001 00000000', // rtmsg: table main, protocol boot, universe, unicast
      '0800 0400 03000000', // RTA_OIF
      '0800 0f00 fe000000', // RTA_TABLE
      '1400 0500 fe800000 00000000 00000000 00000001', // RTA_GATEWAY
      '0800 0600 00040000', // RTA_PRIORITY 1024
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

test('sendAll() sends a hundred or so at a time, numbered from 0, and says which were refused', () => {
  const sent: Uint8Array[] = []
  const socket = {
    send: (messages: Uint8Array) => {
      sent.push(messages.slice())
      return sent.length === 2 ? [{ index: 5, errno: 17, extack: 'there' }] : []
    },
  } as Pick<NetlinkSocket, 'send'> as NetlinkSocket
  const words = makeWords()
  const refusals = sendAll(socket, 300, (batch, i) => {
    neighWords(words, i, { table: 'neigh', ip: '10.0.0.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac })
    encodeNeighWords(batch, 'add', words, false)
  })
  const size = 16 + 12 + 8 + 12
  expect(sent.map(({ length }) => length / size)).toEqual([128, 128, 44])
  const view = new DataView((sent[1] ?? new Uint8Array()).buffer)
  expect([view.getUint32(8, true), view.getUint32(size * 127 + 8, true)]).toEqual([0, 127])
  expect(view.getUint32(20, true)).toBe(128)
  expect(refusals).toEqual([{ index: 128 + 5, errno: 17, extack: 'there' }])
  expect(sendAll(socket, 0, () => undefined)).toEqual([])
})
