import fc from 'fast-check'
import IPCIDR from 'ip-cidr'
import { expect, test } from 'vitest'
import {
  addressOf,
  type Cidr,
  cidrFamily,
  cidrOf,
  contains,
  firstOf,
  hostCidr,
  lastOf,
  lengthOf,
  networkOf,
  overlaps,
  parseCidr,
  readCidr,
} from './cidr.ts'
import { familyOf, type Ip, ipNumber, ipOfNumber, parseIp, widthOf } from './ip.ts'

const accepted: readonly (readonly [text: string, canonical: string])[] = [
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['10.1.2.3/24', '10.1.2.3/24'],
  ['10.1.2.3/32', '10.1.2.3/32'],
  ['FD00:0::/64', 'fd00::/64'],
  ['::/0', '::/0'],
  ['::1/128', '::1/128'],
  ['::ffff:10.1.2.3/120', '10.1.2.3/24'],
  ['::ffff:10.1.2.3/96', '10.1.2.3/0'],
]
test.each(accepted)('readCidr() reads %j as %j', (text, canonical) => {
  expect(readCidr(text)).toBe(canonical)
})

const refused = [
  '',
  '/',
  '/24',
  '10.1.2.3',
  '10.1.2.3/',
  '10.1.2.3/33',
  '10.1.2.3/024',
  '10.1.2.3/-1',
  '10.1.2.3/+8',
  '10.1.2.3/8 ',
  '10.1.2.3/ 8',
  '10.1.2.3/8/8',
  '10.1.2.3/1e1',
  '10.1.2.3/255.0.0.0',
  '10.1.2/8',
  'fd00::/129',
  'fd00::%eth0/64',
  '::ffff:10.1.2.3/24',
  '::ffff:10.1.2.3/129',
]
test.each(refused)('readCidr() refuses %j', (text) => {
  expect(readCidr(text)).toBeUndefined()
  expect(() => parseCidr(text, '$.subnet')).toThrow(/^\$\.subnet: /)
})

const prefix = fc.oneof(
  fc.tuple(fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), fc.integer({ min: 0, max: 32 }), fc.constant(4 as const)),
  fc.tuple(
    fc.bigInt({ min: 1n << 64n, max: (1n << 128n) - 1n }),
    fc.integer({ min: 0, max: 128 }),
    fc.constant(6 as const),
  ),
)
const cidrs = prefix.map(([n, length, family]): Cidr => cidrOf(ipOfNumber(n, family), length))
const numberOf = (oracle: unknown): bigint => BigInt(String(oracle))

test('readCidr() reads what cidrOf() wrote', () => {
  fc.assert(
    fc.property(cidrs, (c) => {
      expect(readCidr(c)).toBe(c)
      expect(cidrOf(addressOf(c), lengthOf(c))).toBe(c)
      expect(cidrFamily(c)).toBe(familyOf(addressOf(c)))
    }),
  )
})

test('firstOf(), lastOf() and networkOf() agree with ip-cidr', () => {
  fc.assert(
    fc.property(cidrs, (c) => {
      const oracle = new IPCIDR(c)
      // ip-cidr writes ::ffff:0:0/96 as IPv6, so values are compared, not texts
      expect(ipNumber(firstOf(c))).toBe(numberOf(oracle.start({ type: 'bigInteger' })))
      expect(ipNumber(lastOf(c))).toBe(numberOf(oracle.end({ type: 'bigInteger' })))
      expect(networkOf(c)).toBe(`${firstOf(c)}/${lengthOf(c)}`)
      expect(networkOf(networkOf(c))).toBe(networkOf(c))
    }),
    { numRuns: 500 },
  )
})

const near = cidrs.chain((c) =>
  fc.tuple(fc.constant(c), fc.bigInt({ min: -3n, max: 3n }), fc.boolean()).map(([from, step, atEnd]): [Cidr, Ip] => {
    const family = cidrFamily(from)
    const n = ipNumber(atEnd ? lastOf(from) : firstOf(from)) + step
    return [from, ipOfNumber(n < 0n ? 0n : n, family)]
  }),
)
test('contains() agrees with ip-cidr around both ends of a prefix', () => {
  fc.assert(
    fc.property(near, ([c, address]) => {
      expect(contains(c, address)).toBe(familyOf(address) === cidrFamily(c) && new IPCIDR(c).contains(address))
    }),
    { numRuns: 500 },
  )
})

test('contains() holds of no address of the other family', () => {
  expect(contains(parseCidr('0.0.0.0/0'), parseIp('::1'))).toBe(false)
  expect(contains(parseCidr('::/0'), parseIp('10.0.0.1'))).toBe(false)
})

test('overlaps() is symmetric and means that the intervals share an address', () => {
  const pair = fc.tuple(cidrs, cidrs, fc.integer({ min: 0, max: 128 }))
  fc.assert(
    fc.property(pair, ([a, other, length]) => {
      // half of random pairs never meet: also compare a with a shorter or longer prefix around its own address
      for (const b of [other, cidrOf(addressOf(a), Math.min(length, widthOf(cidrFamily(a))))]) {
        const meets =
          cidrFamily(a) === cidrFamily(b) &&
          ipNumber(firstOf(a)) <= ipNumber(lastOf(b)) &&
          ipNumber(firstOf(b)) <= ipNumber(lastOf(a))
        expect(overlaps(a, b)).toBe(meets)
        expect(overlaps(b, a)).toBe(meets)
      }
    }),
  )
})

test('hostCidr() is the address alone', () => {
  expect(hostCidr(parseIp('10.0.0.1'))).toBe('10.0.0.1/32')
  expect(hostCidr(parseIp('fd00::1'))).toBe('fd00::1/128')
})
