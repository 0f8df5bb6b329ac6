import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, cidrOf, networkOf } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import { ipOfNumber } from '../addr/ip.ts'
import { type LeaseSubnets, leaseKey, parseLeaseKey } from './lease-key.ts'

const cidr = (text: string) => text as Cidr

/** As flannel pkg/subnet/subnet.go `MakeSubnetKey` writes them: Documentation/reservations.md has the first two forms; the
 *  third is Go's zero value of `IP4Net` before the IPv6 subnet. */
const KEYS: readonly (readonly [key: string, subnets: LeaseSubnets])[] = [
  ['10.5.52.0-24', { subnet: cidr('10.5.52.0/24') }],
  ['10.5.1.0-24&fd00:0:0:1::-64', { subnet: cidr('10.5.1.0/24'), ipv6Subnet: cidr('fd00:0:0:1::/64') }],
  ['0.0.0.0-0&fd00:0:0:1::-64', { ipv6Subnet: cidr('fd00:0:0:1::/64') }],
]

test.for(KEYS)('leaseKey() and parseLeaseKey() agree on %s', ([key, subnets]) => {
  expect(leaseKey(subnets)).toBe(key)
  expect(parseLeaseKey(key)).toEqual(subnets)
})

test.for<[key: string, why: string]>([
  ['', 'names no subnet'],
  ['10.5.52.0/24', 'names no subnet'],
  ['subnets/10.5.52.0-24', 'names no subnet'],
  ['10.5.52.0-24 ', 'names no subnet'],
  ['0.0.0.0-0', 'names no subnet'],
  ['10.5.52-24', '10.5.52-24 is no subnet'],
  ['10.5.52.0-33', '10.5.52.0-33 is no subnet'],
  ['10.5.52.0-024', 'names no subnet'],
  ['10.5.52.7-24', '10.5.52.7-24 has host bits set'],
  ['10.5.52.0-24&fd00::1-64', 'fd00::1-64 has host bits set'],
  ['10.5.52.0-24&fd00:::-64', 'fd00:::-64 is no subnet'],
  ['10.5.52.0-24&fd00::-129', 'fd00::-129 is no subnet'],
])('parseLeaseKey() refuses %j', ([key, why]) => {
  expect(() => parseLeaseKey(key)).toThrow(why)
})

const subnet = fc
  .tuple(fc.bigInt({ min: 1n << 24n, max: (1n << 32n) - 1n }), fc.integer({ min: 8, max: 32 }))
  .map(([n, length]) => networkOf(cidrOf(ipOfNumber(n, 4), length)))
const ipv6Subnet = fc
  .tuple(fc.bigInt({ min: 1n << 120n, max: (1n << 128n) - 1n }), fc.integer({ min: 8, max: 128 }))
  .map(([n, length]) => networkOf(cidrOf(ipOfNumber(n, 6), length)))
const subnets = fc.oneof(fc.record({ subnet }), fc.record({ ipv6Subnet }), fc.record({ subnet, ipv6Subnet }))

test('parseLeaseKey() reads what leaseKey() writes', () => {
  fc.assert(
    fc.property(subnets, (each) => {
      expect(parseLeaseKey(leaseKey(each))).toEqual(each)
    }),
  )
})

test('parseLeaseKey() of anything is what leaseKey() can write, or a DecodeError', () => {
  const soup = fc.string({ unit: fc.constantFrom(...'0123456789.-&:af/ '), maxLength: 40 })
  const near = subnets
    .map(leaseKey)
    .chain((key) =>
      fc
        .tuple(fc.nat(key.length), fc.constantFrom(...'0123456789.-&:af'))
        .map(([at, character]) => key.slice(0, at) + character + key.slice(at)),
    )
  const read = (text: string): void => {
    try {
      const found = parseLeaseKey(text)
      expect(parseLeaseKey(leaseKey(found))).toEqual(found)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  fc.assert(fc.property(fc.oneof(soup, near), read), { numRuns: 1000 })
})
