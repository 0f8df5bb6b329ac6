import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, overlaps } from '../addr/cidr.ts'
import { parseNetConf } from './net-conf.ts'
import { fitsConf, pickSubnets } from './subnets.ts'

const cidr = (text: string) => text as Cidr
const first = () => 0
const conf = (keys: object) => parseNetConf(JSON.stringify({ Network: '10.3.0.0/16', ...keys }))
const DUAL = conf({ EnableIPv6: true, IPv6Network: 'fd00::/48' })

test.for<[subnet: string | undefined, ipv6Subnet: string | undefined, fits: boolean]>([
  ['10.3.1.0/24', 'fd00:0:0:1::/64', true],
  ['10.3.255.0/24', 'fd00:0:0:ffff::/64', true],
  ['10.3.0.0/24', 'fd00:0:0:1::/64', false],
  ['10.4.1.0/24', 'fd00:0:0:1::/64', false],
  ['10.3.1.0/25', 'fd00:0:0:1::/64', false],
  ['10.3.1.0/24', 'fd00::/64', false],
  ['10.3.1.0/24', undefined, false],
  [undefined, 'fd00:0:0:1::/64', false],
])('fitsConf() of %s and %s is %s', ([subnet, ipv6Subnet, fits]) => {
  const subnets = { ...(subnet && { subnet: cidr(subnet) }), ...(ipv6Subnet && { ipv6Subnet: cidr(ipv6Subnet) }) }
  expect(fitsConf(DUAL, subnets)).toBe(fits)
})

test('fitsConf() wants no subnet of a family that is off', () => {
  expect(fitsConf(conf({}), { subnet: cidr('10.3.1.0/24') })).toBe(true)
  expect(fitsConf(conf({}), { subnet: cidr('10.3.1.0/24'), ipv6Subnet: cidr('fd00::/64') })).toBe(false)
})

test('pickSubnets() begins with the first of the range', () => {
  expect(pickSubnets(DUAL, [], first)).toEqual({ subnet: '10.3.1.0/24', ipv6Subnet: 'fd00:0:0:1::/64' })
})

test('pickSubnets() draws from the first hundred that are free', () => {
  const asked: number[] = []
  const last = (n: number) => {
    asked.push(n)
    return n - 1
  }
  const taken = [cidr('10.3.2.0/24'), cidr('10.3.9.64/26')]
  expect(pickSubnets(conf({}), taken, last)).toEqual({ subnet: '10.3.102.0/24' })
  expect(asked).toEqual([100])
})

test('pickSubnets() skips what is taken, whatever its size', () => {
  const taken = ['10.3.4.0/30', '10.3.1.0/24', '10.3.2.0/23', '10.3.0.0/22', '10.3.5.255/32', '192.0.2.0/24'].map(cidr)
  expect(pickSubnets(conf({}), taken, first)).toEqual({ subnet: '10.3.6.0/24' })
})

test('pickSubnets() gives nothing when all are taken', () => {
  const tight = conf({ SubnetMin: '10.3.8.0', SubnetMax: '10.3.9.0' })
  expect(pickSubnets(tight, [cidr('10.3.8.0/24')], first)).toEqual({ subnet: '10.3.9.0/24' })
  expect(pickSubnets(tight, [cidr('10.3.8.0/24'), cidr('10.3.9.0/24')], first)).toBeUndefined()
  expect(pickSubnets(conf({}), [cidr('10.0.0.0/8')], first)).toBeUndefined()
  expect(pickSubnets(DUAL, [cidr('fd00::/48')], first)).toBeUndefined()
})

const SMALL = conf({ Network: '10.3.0.0/22', SubnetLen: 28 })
const taken = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 20, max: 32 })).map(([at, length]) => {
    const base = (at >> (32 - length)) << (32 - length)
    return cidr(`10.3.${base >> 8}.${base & 255}/${length}`)
  }),
  { maxLength: 40 },
)

test('pickSubnets() finds a free subnet exactly when there is one, and never a taken one', () => {
  fc.assert(
    fc.property(taken, fc.nat(), (list, seed) => {
      const all = Array.from({ length: 63 }, (_, i) => cidr(`10.3.${(i + 1) >> 4}.${((i + 1) & 15) * 16}/28`))
      const free = all.filter((each) => !list.some((other) => overlaps(each, other)))
      const picked = pickSubnets(SMALL, list, (n) => seed % Math.max(n, 1))
      expect(picked?.subnet).toBe(free[seed % Math.max(free.length, 1)])
    }),
  )
})
