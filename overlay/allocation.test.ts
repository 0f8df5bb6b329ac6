import { describe, expect, test } from 'vitest'
import { parseCidr } from '../addr/cidr.ts'
import { parseIp } from '../addr/ip.ts'
import { type Choice, choose, type Holdings } from './allocation.ts'
import type { Claim } from './claim.ts'
import { parseLeaseKey } from './lease-key.ts'
import { parseNetConf } from './net-conf.ts'
import { StoreError } from './store-error.ts'

const V4 = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.12.0"}')
const DUAL = parseNetConf(
  '{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","SubnetMin":"10.5.10.0","SubnetMax":"10.5.12.0"}',
)
const V6 = parseNetConf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48"}')

const claimOf = (publicIP: string, ...previous: readonly string[]): Claim => ({
  ...(publicIP.includes(':') ? { publicIPv6: parseIp(publicIP) } : { publicIP: parseIp(publicIP) }),
  backendType: 'host-gw',
  data: {},
  v6Data: {},
  previous: previous.map((text) => parseCidr(text)),
})

/** Leases by their keys, each with the public address of its node. */
const holding = (leases: Readonly<Record<string, string>>, ...invalid: readonly string[]): Holdings => ({
  leases: Object.entries(leases).map(([key, ip]) => ({
    lease: {
      key,
      ...parseLeaseKey(key),
      ...(ip.includes(':') ? { publicIPv6: parseIp(ip) } : { publicIP: parseIp(ip) }),
      backendType: 'vxlan',
      data: {},
      v6Data: {},
    },
    reserved: false,
  })),
  invalid,
})

const shown = (choice: Choice): string =>
  choice.kind === 'update'
    ? `update ${choice.lease.key}`
    : [...choice.stale.map(({ lease }) => `remove ${lease.key}`), `create ${choice.lease.key}`].join(', ')

const first = (): number => 0

describe('choose()', () => {
  test.for<[name: string, conf: typeof V4, claim: Claim, held: Holdings, want: string]>([
    ['takes the first free subnet of those it may draw', V4, claimOf('192.0.2.1'), holding({}), 'create 10.5.10.0-24'],
    [
      'skips what others hold',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.10.0-24': '192.0.2.2' }),
      'create 10.5.11.0-24',
    ],
    [
      'skips a subnet whose lease does not decode',
      V4,
      claimOf('192.0.2.1'),
      holding({}, '10.5.10.0-24', 'nonsense'),
      'create 10.5.11.0-24',
    ],
    [
      'skips what a longer prefix of another is within',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.10.128-25': '192.0.2.2' }),
      'create 10.5.11.0-24',
    ],
    [
      'takes the lease that names its address again',
      V4,
      claimOf('192.0.2.1', '10.5.11.1/24'),
      holding({ '10.5.12.0-24': '192.0.2.1' }),
      'update 10.5.12.0-24',
    ],
    [
      'prefers, of two that name its address, the one that fits',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.0.0-20': '192.0.2.1', '10.5.12.0-24': '192.0.2.1' }),
      'update 10.5.12.0-24',
    ],
    [
      'prefers, of two that name its address and fit, the one it had',
      V4,
      claimOf('192.0.2.1', '10.5.12.1/24'),
      holding({ '10.5.11.0-24': '192.0.2.1', '10.5.12.0-24': '192.0.2.1' }),
      'update 10.5.12.0-24',
    ],
    [
      'does not prefer the one it had when that does not fit any more',
      V4,
      claimOf('192.0.2.1', '10.5.13.1/24'),
      holding({ '10.5.11.0-24': '192.0.2.1', '10.5.13.0-24': '192.0.2.1' }),
      'update 10.5.11.0-24',
    ],
    [
      'replaces a lease outside the range of subnets',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.9.0-24': '192.0.2.1' }),
      'remove 10.5.9.0-24, create 10.5.10.0-24',
    ],
    [
      'replaces a lease of another length',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.10.0-25': '192.0.2.1' }),
      'remove 10.5.10.0-25, create 10.5.10.0-24',
    ],
    [
      'replaces an IPv4 lease when IPv6 is enabled',
      DUAL,
      claimOf('192.0.2.1'),
      holding({ '10.5.10.0-24': '192.0.2.1' }),
      'remove 10.5.10.0-24, create 10.5.10.0-24&fd00:0:0:1::-64',
    ],
    [
      'replaces a lease of both families when IPv6 is disabled',
      V4,
      claimOf('192.0.2.1'),
      holding({ '10.5.10.0-24&fd00:0:0:1::-64': '192.0.2.1' }),
      'remove 10.5.10.0-24&fd00:0:0:1::-64, create 10.5.10.0-24',
    ],
    ['takes the subnet before', V4, claimOf('192.0.2.1', '10.5.12.1/24'), holding({}), 'create 10.5.12.0-24'],
    [
      'takes both subnets before',
      DUAL,
      claimOf('192.0.2.1', 'fd00:0:0:7::1/64', '10.5.12.1/24'),
      holding({}),
      'create 10.5.12.0-24&fd00:0:0:7::-64',
    ],
    [
      'leaves the subnet before to who has it now',
      V4,
      claimOf('192.0.2.1', '10.5.12.1/24'),
      holding({ '10.5.12.0-24': '192.0.2.2' }),
      'create 10.5.10.0-24',
    ],
    [
      'leaves the IPv6 subnet before to who has it now',
      DUAL,
      claimOf('192.0.2.1', 'fd00:0:0:7::1/64', '10.5.12.1/24'),
      holding({ '10.5.11.0-24&fd00:0:0:7::-64': '192.0.2.2' }),
      'create 10.5.10.0-24&fd00:0:0:1::-64',
    ],
    [
      'disregards a subnet before that does not fit',
      V4,
      claimOf('192.0.2.1', '10.6.1.1/24'),
      holding({}),
      'create 10.5.10.0-24',
    ],
    [
      'knows a node without IPv4 by its IPv6 address',
      V6,
      claimOf('2001:db8::1'),
      holding({ '0.0.0.0-0&fd00:0:0:9::-64': '2001:db8::1' }),
      'update 0.0.0.0-0&fd00:0:0:9::-64',
    ],
  ])('%s', ([, conf, claim, held, want]) => {
    expect(shown(choose(claim, conf, held, first))).toBe(want)
  })

  test('writes what the claim says, under the key that is there', () => {
    const { lease } = choose(claimOf('192.0.2.1'), V4, holding({ '10.5.12.0-24': '192.0.2.1' }), first)
    expect(lease).toEqual({
      key: '10.5.12.0-24',
      subnet: '10.5.12.0/24',
      publicIP: '192.0.2.1',
      backendType: 'host-gw',
      data: {},
      v6Data: {},
    })
  })

  test('draws any of the free subnets', () => {
    const drawn = Array.from({ length: 200 }, () => shown(choose(claimOf('192.0.2.1'), V4, holding({}))))
    expect([...new Set(drawn)].sort()).toEqual(['create 10.5.10.0-24', 'create 10.5.11.0-24', 'create 10.5.12.0-24'])
  })

  test('says that no subnet is free, and in which network', () => {
    const full = Object.fromEntries([10, 11, 12].map((n) => [`10.5.${n}.0-24`, `192.0.2.1${n}`]))
    const act = (): Choice => choose(claimOf('192.0.2.1'), V4, holding(full), first)
    expect(act).toThrow(StoreError)
    expect(act).toThrow('no subnet is free in "10.5.0.0/16": 3 are taken')
  })
})
