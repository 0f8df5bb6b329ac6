/** Network configurations of no meaning. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contains, lengthOf } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import { ipNumber } from '../addr/ip.ts'
import type { Json } from '../cni/plugin.ts'
import { type NetConf, parseNetConf } from './net-conf.ts'

const parse = (conf: Json): NetConf => parseNetConf(JSON.stringify(conf))

const NAMES = [
  'Network',
  'SubnetLen',
  'SubnetMin',
  'SubnetMax',
  'IPv6Network',
  'IPv6SubnetLen',
  'EnableIPv4',
  'EnableIPv6',
]
const values = fc.oneof(
  fc.constantFrom<Json>('10.3.0.0/16', '10.3.0.0/28', 'fd00::/48', 'fd00::/124', '10.3.4.0', '10.3.0.16', true, false),
  fc.integer({ min: -1, max: 130 }),
  fc.jsonValue() as fc.Arbitrary<Json>,
)
const confs = fc.dictionary(fc.constantFrom(...NAMES, 'Backend'), values)

test('parseNetConf() of anything gives subnets inside their network, or throws DecodeError', () => {
  const check = (value: Json): void => {
    try {
      const conf = parse(value)
      for (const family of [conf.ipv4, conf.ipv6]) {
        if (family === undefined) continue
        expect(contains(family.network, family.subnetMin) && contains(family.network, family.subnetMax)).toBe(true)
        expect(ipNumber(family.subnetMin) <= ipNumber(family.subnetMax)).toBe(true)
        expect(family.subnetLen).toBeGreaterThanOrEqual(lengthOf(family.network) + 2)
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  fc.assert(fc.property(fc.oneof(confs, fc.jsonValue() as fc.Arbitrary<Json>), check), { numRuns: 1000 })
})
