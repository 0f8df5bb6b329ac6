/** The keys that dumps are compared by, against the decoders: what a dump shows of a route or neighbour has the key that the
 *  fact which asks for it has, and no other fact has it. Recorded messages of the kernel are in test/netns. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, cidrOf, firstOf } from '../addr/cidr.ts'
import { type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import { type Mac, macBytes, macOf } from '../addr/mac.ts'
import { ipText, macText, prefixText } from './key-text.ts'
import { eachMessage, encodeMessages, type Message } from './message.ts'
import { decodeNeigh, newNeigh } from './neigh.ts'
import { neighKey, neighKeyOf } from './neigh-key.ts'
import { decodeRoutes, newRoute, type RouteSpec } from './route.ts'
import { routeKey, routeKeyOf } from './route-key.ts'

/** The bytes, two to a character, as a plain loop has it. */
const textOf = (bytes: Uint8Array): string =>
  Array.from({ length: bytes.length / 2 }, (_, i) =>
    String.fromCharCode((bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8)),
  ).join('')

const byte = fc.oneof(fc.constant(0), fc.nat(255))
const bytesOf = (length: number) =>
  fc.array(byte, { minLength: length, maxLength: length }).map((b) => Uint8Array.from(b))
const ips = fc.oneof(bytesOf(4), bytesOf(16)).map(ipOf)
const macs = bytesOf(6).map(macOf)
const cidrs = fc
  .tuple(ips, fc.nat(128))
  .map(([ip, length]) => cidrOf(ip, ip.includes(':') ? length : Math.min(32, length)))

test('ipText(), macText() and prefixText() are the bytes', () => {
  fc.assert(
    fc.property(ips, macs, cidrs, (ip, mac, cidr) => {
      expect(ipText(ip)).toBe(textOf(ipBytes(ip)))
      expect(macText(mac)).toBe(textOf(macBytes(mac)))
      expect(prefixText(cidr)).toBe(cidr.endsWith('/0') ? '' : textOf(ipBytes(firstOf(cidr))))
    }),
    { numRuns: 1000 },
  )
})

const bodyOf = (message: Message): Uint8Array => encodeMessages([message], 1).slice(16)
const keyOf = (message: Message, keyIn: typeof routeKeyOf): string => {
  const bytes = encodeMessages([{ ...message, attrs: [] }, message], 1)
  const keys: string[] = []
  eachMessage(bytes, (_type, _flags, from, to) => keys.push(keyIn(bytes, from, to)))
  return keys[1] ?? ''
}

/** What the kernel is asked for is of the shape in which it shows it, but for IPv6's metric and a default's destination. */
const small = fc.nat(3)
const route = (family: 4 | 6) => {
  const address = bytesOf(family === 4 ? 4 : 16)
    .map(ipOf)
    .filter((ip) => ip.includes(':') === (family === 6))
  return fc.record(
    {
      dst: fc
        .tuple(address, fc.integer({ min: 1, max: family === 4 ? 32 : 128 }))
        .map(([ip, length]) => cidrOf(ip, length)),
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

test('a route that is shown as it was asked for has the key of the fact', () => {
  fc.assert(
    fc.property(indexes, routes, (index, spec) => {
      expect(keyOf(newRoute(index, spec), routeKeyOf)).toBe(routeKey(index, spec))
    }),
  )
})

test('routes that are decoded differently have different keys', () => {
  const near = fc.tuple(
    routes,
    fc.dictionary(fc.constantFrom('mtu', 'advmss', 'scope', 'protocol', 'priority'), small, { maxKeys: 1 }),
  )
  fc.assert(
    fc.property(indexes, near, small, (index, [spec, other], step) => {
      const [a, b] = [newRoute(index, spec), newRoute(index + step, { ...spec, ...other })]
      const isSame = JSON.stringify(decodeRoutes(bodyOf(a))) === JSON.stringify(decodeRoutes(bodyOf(b)))
      expect(keyOf(a, routeKeyOf) === keyOf(b, routeKeyOf)).toBe(isSame)
    }),
  )
})

const neighs = fc.record(
  {
    table: fc.constantFrom('neigh' as const, 'fdb' as const),
    ip: ips,
    lladdr: macs,
    protocol: fc.integer({ min: 1, max: 255 }),
  },
  { requiredKeys: ['table', 'ip', 'lladdr'] },
)

test('an entry that is shown as it was asked for has the key of the fact, and one on another link another', () => {
  fc.assert(
    fc.property(indexes, neighs, (index, entry) => {
      expect(keyOf(newNeigh(index, entry), neighKeyOf)).toBe(neighKey(index, entry))
      expect(neighKey(index + 1, entry)).not.toBe(neighKey(index, entry))
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

test('a forwarding entry has the same key with and without its mark', () => {
  const entry = { table: 'fdb', ip: '192.0.2.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac } as const
  expect(neighKey(3, { ...entry, protocol: 112 })).toBe(neighKey(3, entry))
})

const NEIGH = newNeigh(3, { table: 'neigh', ip: '10.0.0.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac })
const FDB = newNeigh(3, { table: 'fdb', ip: '10.0.0.1' as Ip, lladdr: '0e:00:00:00:00:01' as Mac })
const ROUTE = newRoute(3, { dst: '10.1.0.0/24' as Cidr, via: '10.0.0.1' as Ip })
const patched = (message: Message, at: number, value: number): Message => {
  const header = Uint8Array.from(message.header)
  header[at] = value
  return { ...message, header }
}

/** What no fact asks for is equal to none: the key is ''. */
test.for<readonly [what: string, message: Message, keyIn: typeof routeKeyOf]>([
  ['a neighbour that is not permanent', patched(NEIGH, 8, 0x02), neighKeyOf],
  ["a forwarding entry of a bridge's", patched(FDB, 10, 0x04), neighKeyOf],
  [
    'a forwarding entry with a port (NDA_PORT)',
    { ...FDB, attrs: [...FDB.attrs, [6, Uint8Array.of(0, 99)]] },
    neighKeyOf,
  ],
  ['a forwarding entry with a VNI (NDA_VNI)', { ...FDB, attrs: [...FDB.attrs, [7, 9]] }, neighKeyOf],
  ['a route with a type of service', patched(ROUTE, 3, 8), routeKeyOf],
  [
    'a route with several next hops (RTA_MULTIPATH)',
    { ...ROUTE, attrs: [...ROUTE.attrs, [9, new Uint8Array(8)]] },
    routeKeyOf,
  ],
  ['a route by a nexthop object (RTA_NH_ID)', { ...ROUTE, attrs: [...ROUTE.attrs, [30, 1]] }, routeKeyOf],
  ['a route with another metric (RTAX_WINDOW)', { ...ROUTE, attrs: [...ROUTE.attrs, [8, [[3, 100]]]] }, routeKeyOf],
  [
    'a truncated attribute',
    { ...ROUTE, attrs: [[1, Uint8Array.of()]], header: Uint8Array.of(...ROUTE.header, 2, 0, 0, 0) },
    routeKeyOf,
  ],
])('the key of %s is of nothing that is wanted', ([, message, keyIn]) => {
  expect(keyOf(message, keyIn)).toBe('')
})
