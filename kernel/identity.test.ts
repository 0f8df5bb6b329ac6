import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import { identityOf, isSame } from './identity.ts'
import type { Fact } from './plan.ts'

const route: Fact = { kind: 'route', ns: 'node', dev: 'up0', dst: '10.1.0.0/24' as Cidr, via: '10.0.0.1' as Ip }
const neigh: Fact = {
  kind: 'neigh',
  ns: 'node',
  dev: 'flannel.1',
  table: 'neigh',
  ip: '10.1.0.0' as Ip,
  lladdr: '0e:00:00:00:00:01' as Mac,
}
const fdb: Fact = { ...neigh, table: 'fdb' }
const link: Fact = { kind: 'link', ns: 'node', name: 'flannel.1', device: { kind: 'dummy' }, settings: {} }

/** Only one of each pair can hold. */
test.for<readonly [what: string, one: Fact, other: Fact]>([
  ['routes over different links', route, { ...route, dev: 'flannel.1', onlink: true }],
  ['a route in the table main, named or not', route, { ...route, table: 254 }],
  ['a neighbour at two MACs', neigh, { ...neigh, lladdr: '0e:00:00:00:00:02' as Mac }],
  ['a MAC behind two nodes', fdb, { ...fdb, ip: '10.2.0.0' as Ip }],
  ['a device with other attributes', link, { ...link, device: { kind: 'bridge' }, settings: { mtu: 1400 } }],
  [
    'a sysctl with another value',
    { kind: 'sysctl', ns: 'node', path: 'net/ipv4/ip_forward', value: '1' },
    { kind: 'sysctl', ns: 'node', path: 'net/ipv4/ip_forward', value: '0' },
  ],
])('%s have one identity', ([, one, other]) => {
  expect(identityOf(one)).toBe(identityOf(other))
})

/** Both of each pair can hold. */
test.for<readonly [what: string, one: Fact, other: Fact]>([
  ['routes with different metrics', route, { ...route, priority: 50 }],
  ['routes in different tables', route, { ...route, table: 100 }],
  ['routes of two namespaces', route, { ...route, ns: 'pod' }],
  ['a route and a blackhole', route, { kind: 'blackhole', ns: 'node', dst: route.dst, protocol: 112 }],
  ['a neighbour and a forwarding entry', neigh, fdb],
  ['neighbours on two links', neigh, { ...neigh, dev: 'up0' }],
  ['two MACs behind one node', fdb, { ...fdb, lladdr: '0e:00:00:00:00:02' as Mac }],
  [
    'different settings of one link',
    { kind: 'link-settings', ns: 'node', name: 'up0', settings: { mtu: 1400 } },
    { kind: 'link-settings', ns: 'node', name: 'up0', settings: { up: true } },
  ],
])('%s have two identities', ([, one, other]) => {
  expect(identityOf(one)).not.toBe(identityOf(other))
})

test.for<readonly [one: unknown, other: unknown, same: boolean]>([
  [route, { ...route }, true],
  [route, { ...route, via: '10.0.0.2' }, false],
  [{ a: 1, b: undefined }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [[1, [2, { c: 3 }]], [1, [2, { c: 3 }]], true],
  [[1, 2], [1], false],
  [[], {}, false],
  [null, {}, false],
  [Number.NaN, Number.NaN, true],
  ['1', 1, false],
])('isSame(%j, %j) is %j', ([one, other, same]) => {
  expect(isSame(one, other)).toBe(same)
})
