import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
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
