/** Entries as words, against the decoders: what a dump shows of a route or neighbour has the words that the fact which asks
 *  for it has, and no other fact has them. That the kernel shows it so is seen in test/netns/reconcile*.test.ts. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, cidrOf, firstOf } from '../addr/cidr.ts'
import { type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import { type Mac, macBytes, macOf } from '../addr/mac.ts'
import { eachMessage, encodeMessages, type Message } from './message.ts'
import { decodeNeigh, type Neigh, newNeigh } from './neigh.ts'
import { neighWords, readNeighWords } from './neigh-words.ts'
import { decodeRoutes, newRoute, type RouteSpec } from './route.ts'
import { readRouteWords, routeWords } from './route-words.ts'
import { makeWordTable } from './word-table.ts'
import { makeWords, push, pushBytes, pushIp, pushMac, pushPrefix, type Words } from './words.ts'

const valuesOf = ({ values, length }: Words): number[] => [...values.subarray(0, length)]
const written = (write: (words: Words) => void): number[] => {
  const words = makeWords()
  write(words)
  return valuesOf(words)
}

/** Four bytes to a word, the last one filled with zeros. */
const wordsOf = (bytes: Uint8Array): number[] => {
  const whole = new Uint8Array((bytes.length + 3) & ~3)
  whole.set(bytes)
  return [...new Uint32Array(whole.buffer)]
}

const byte = fc.oneof(fc.constant(0), fc.nat(255))
const bytesOf = (length: number) =>
  fc.array(byte, { minLength: length, maxLength: length }).map((octets) => Uint8Array.from(octets))
const ips = fc.oneof(bytesOf(4), bytesOf(16)).map(ipOf)
const macs = bytesOf(6).map(macOf)
const cidrs = fc
  .tuple(ips, fc.nat(128))
  .map(([ip, length]) => cidrOf(ip, ip.includes(':') ? length : Math.min(32, length)))

test('addresses as words are their bytes', () => {
  fc.assert(
    fc.property(ips, macs, cidrs, (ip, mac, cidr) => {
      expect(written((words) => pushIp(words, ip))).toEqual(wordsOf(ipBytes(ip)))
      expect(written((words) => pushMac(words, mac))).toEqual(wordsOf(macBytes(mac)))
      const first = cidr.endsWith('/0') ? [] : wordsOf(ipBytes(firstOf(cidr)))
      expect(written((words) => pushPrefix(words, cidr))).toEqual(first)
      const bytes = Uint8Array.of(9, ...macBytes(mac), 9)
      expect(written((words) => pushBytes(words, bytes, 1, 7))).toEqual(wordsOf(macBytes(mac)))
    }),
    { numRuns: 1000 },
  )
})

type Read = typeof readRouteWords

/** The words of `message`, which stands behind another one; undefined when it is of nothing that is wanted. */
const readFrom = (message: Message, read: Read): number[] | undefined => {
  const bytes = encodeMessages([{ ...message, attrs: [] }, message], 1)
  const words = makeWords()
  let isRead = false
  eachMessage(bytes, bytes.length, (_type, _flags, from, to) => {
    isRead = read(words, bytes, from, to)
  })
  return isRead ? valuesOf(words) : undefined
}

/** What the kernel is asked for has the shape in which it shows it, but for IPv6's metric and a default's destination. */
const small = fc.nat(3)
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
      mtu: small,
      advmss: small,
      table: fc.integer({ min: 1, max: 0xffffffff }),
      scope: fc.nat(255),
      protocol: fc.nat(255),
    },
    { requiredKeys: ['dst', 'priority'] },
  )
}
const routes: fc.Arbitrary<RouteSpec> = fc.oneof(route(4), route(6))
const indexes = fc.integer({ min: 1, max: 0x7fffffff })

test('a route that is shown as it was asked for has the words of the fact', () => {
  fc.assert(
    fc.property(indexes, routes, (index, spec) => {
      const asked = written((words) => routeWords(words, index, spec))
      expect(readFrom(newRoute(index, spec), readRouteWords)).toEqual(asked)
    }),
  )
})

const bodyOf = (message: Message): Uint8Array => encodeMessages([message], 1).slice(16)
const NUMBERS = fc.constantFrom('mtu', 'advmss', 'scope', 'protocol', 'priority')

test('routes that are decoded differently have different words', () => {
  const near = fc.tuple(routes, fc.dictionary(NUMBERS, small, { maxKeys: 1 }))
  fc.assert(
    fc.property(indexes, near, small, (index, [spec, other], step) => {
      const [one, two] = [newRoute(index, spec), newRoute(index + step, { ...spec, ...other })]
      const same = JSON.stringify(decodeRoutes(bodyOf(one))) === JSON.stringify(decodeRoutes(bodyOf(two)))
      expect(String(readFrom(one, readRouteWords)) === String(readFrom(two, readRouteWords))).toBe(same)
    }),
  )
})

const neighs: fc.Arbitrary<Neigh> = fc.record(
  {
    table: fc.constantFrom('neigh' as const, 'fdb' as const),
    ip: ips,
    lladdr: macs,
    protocol: fc.integer({ min: 1, max: 255 }),
  },
  { requiredKeys: ['table', 'ip', 'lladdr'] },
)

test('an entry that is shown as it was asked for has the words of the fact, and one on another link others', () => {
  fc.assert(
    fc.property(indexes, neighs, (index, entry) => {
      const asked = written((words) => neighWords(words, index, entry))
      expect(readFrom(newNeigh(index, entry), readNeighWords)).toEqual(asked)
      expect(written((words) => neighWords(words, index + 1, entry))).not.toEqual(asked)
      expect(decodeNeigh(entry.table, bodyOf(newNeigh(index, entry)))).toMatchObject({
        ip: entry.ip,
        lladdr: entry.lladdr,
        index,
        permanent: true,
        marked: entry.table === 'fdb' && entry.protocol !== undefined,
      })
    }),
  )
})

test('a forwarding entry has the same words with and without its mark, a neighbour has not', () => {
  const entry = { table: 'fdb', ip: '192.0.2.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac } as const
  const of = (neigh: Neigh): number[] => written((words) => neighWords(words, 3, neigh))
  expect(of({ ...entry, protocol: 112 })).toEqual(of(entry))
  expect(of({ ...entry, table: 'neigh', protocol: 112 })).not.toEqual(of({ ...entry, table: 'neigh' }))
})

const NEIGH = newNeigh(3, { table: 'neigh', ip: '10.0.0.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac })
const FDB = newNeigh(3, { table: 'fdb', ip: '10.0.0.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac })
const ROUTE = newRoute(3, { dst: '10.1.0.0/24' as Cidr, via: '10.0.0.1' as Ip })
const patched = (message: Message, at: number, value: number): Message => {
  const header = Uint8Array.from(message.header)
  header[at] = value
  return { ...message, header }
}

test.for<readonly [what: string, message: Message, read: Read]>([
  ['a neighbour that is not permanent', patched(NEIGH, 8, 0x02), readNeighWords],
  ["a forwarding entry of a bridge's", patched(FDB, 10, 0x04), readNeighWords],
  ['an entry with a port (NDA_PORT)', { ...FDB, attrs: [...FDB.attrs, [6, Uint8Array.of(0, 99)]] }, readNeighWords],
  ['an entry with a VNI (NDA_VNI)', { ...FDB, attrs: [...FDB.attrs, [7, 9]] }, readNeighWords],
  ['a route with a type of service', patched(ROUTE, 3, 8), readRouteWords],
  [
    'a route with several next hops (RTA_MULTIPATH)',
    { ...ROUTE, attrs: [...ROUTE.attrs, [9, new Uint8Array(8)]] },
    readRouteWords,
  ],
  ['a route by a nexthop object (RTA_NH_ID)', { ...ROUTE, attrs: [...ROUTE.attrs, [30, 1]] }, readRouteWords],
  ['a route with another metric (RTAX_WINDOW)', { ...ROUTE, attrs: [...ROUTE.attrs, [8, [[3, 100]]]] }, readRouteWords],
  [
    'an attribute of no length',
    { ...ROUTE, attrs: [], header: Uint8Array.of(...ROUTE.header, 2, 0, 0, 0) },
    readRouteWords,
  ],
])('%s is nothing that is wanted', ([, message, read]) => {
  expect(readFrom(message, read)).toBeUndefined()
})

test('readRouteWords() and readNeighWords() take any bytes', () => {
  const words = makeWords()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      for (const read of [readRouteWords, readNeighWords])
        expect(() => read(words, bytes, 0, bytes.length)).not.toThrow()
    }),
  )
})

test('a table finds what was added, each once', () => {
  const entries = fc.array(fc.array(fc.nat(2), { maxLength: 19 }), { maxLength: 300 })
  fc.assert(
    fc.property(entries, fc.array(fc.nat(2), { maxLength: 19 }), (added, other) => {
      const table = makeWordTable(added.length)
      const seen = new Map<string, number>()
      const put = (values: readonly number[]): Words => {
        const words = makeWords()
        for (const value of values) push(words, value)
        return words
      }
      for (const [i, values] of added.entries()) {
        expect(table.add(put(values), i)).toBe(!seen.has(values.join()))
        if (!seen.has(values.join())) seen.set(values.join(), i)
      }
      for (const values of [...added, other]) expect(table.find(put(values))).toBe(seen.get(values.join()) ?? -1)
    }),
  )
})
