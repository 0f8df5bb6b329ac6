/** Each way in which an entry can differ from what flanneld makes. docs/node-layer.md "What is ours". */
import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import type { LinkNeigh } from '../netlink/neigh.ts'
import type { LinkRoute } from '../netlink/route.ts'
import { isCarriedRoute, isOwnNeigh, isOwnRoute, isWithin, subnetLengths } from './ownership.ts'

const NETWORKS = ['10.244.0.0/16' as Cidr, 'fd00:244::/48' as Cidr]

const FLANNEL: LinkRoute = {
  index: 4,
  type: 1,
  dst: '10.244.2.0/24' as Cidr,
  via: '10.244.2.0' as Ip,
  table: 254,
  scope: 0,
  priority: 0,
  mtu: 0,
  advmss: 0,
  protocol: 3,
  onlink: true,
}
const FLANNEL_V6: LinkRoute = {
  ...FLANNEL,
  dst: 'fd00:244:0:2::/64' as Cidr,
  via: 'fd00:244:0:2::' as Ip,
  priority: 1024,
}
const { via: _, ...ONTO_LINK } = FLANNEL

test.for<readonly [what: string, route: LinkRoute, kind: string, own: boolean]>([
  ["flanneld's over a vxlan", FLANNEL, 'vxlan', true],
  ["flanneld's over a vxlan, IPv6", FLANNEL_V6, 'vxlan', true],
  ["flanneld's over an ipip", { ...FLANNEL, via: '192.0.2.2' as Ip }, 'ipip', true],
  ["flanneld's over a wireguard", { ...ONTO_LINK, onlink: false, scope: 253 }, 'wireguard', true],
  ["flanneld's over a wireguard, IPv6", { ...ONTO_LINK, dst: FLANNEL_V6.dst, onlink: false }, 'wireguard', true],
  [
    'ours, whatever else it is',
    { ...ONTO_LINK, protocol: 112, dst: '172.16.0.0/12' as Cidr, onlink: false },
    'vxlan',
    true,
  ],
  ['by another gateway than the base address', { ...FLANNEL, via: '10.244.2.1' as Ip }, 'vxlan', false],
  ['not onlink', { ...FLANNEL, onlink: false }, 'vxlan', false],
  ['of another protocol', { ...FLANNEL, protocol: 4 }, 'vxlan', false],
  ['outside the pod network', { ...FLANNEL, dst: '10.245.2.0/24' as Cidr, via: '10.245.2.0' as Ip }, 'vxlan', false],
  ['wider than the pod network', { ...FLANNEL, dst: '10.0.0.0/8' as Cidr, via: '10.0.0.0' as Ip }, 'vxlan', false],
  ['by a gateway over a wireguard', { ...FLANNEL, onlink: false }, 'wireguard', false],
  ['of wider scope over a wireguard', { ...ONTO_LINK, onlink: false }, 'wireguard', false],
])('a route over a link of the overlay: %s', ([, route, kind, own]) => {
  expect(isOwnRoute(route, kind, NETWORKS)).toBe(own)
})

test.for<readonly [what: string, route: LinkRoute, own: boolean]>([
  ['ours into the pod network', { ...FLANNEL, protocol: 112, onlink: false }, true],
  ['ours to elsewhere', { ...FLANNEL, protocol: 112, dst: '172.16.0.0/12' as Cidr }, false],
  ['without a protocol', FLANNEL, false],
])('a route over the underlay: %s', ([, route, own]) => {
  expect(isCarriedRoute(route, NETWORKS)).toBe(own)
})

const NEIGH: LinkNeigh = {
  table: 'neigh',
  ip: '10.244.2.0' as Ip,
  lladdr: '0e:00:00:00:00:02' as Mac,
  index: 4,
  permanent: true,
  protocol: 0,
  marked: false,
}

test.for<readonly [what: string, neigh: LinkNeigh, own: boolean]>([
  ["flanneld's", NEIGH, true],
  ["flanneld's, IPv6", { ...NEIGH, ip: 'fd00:244:0:2::' as Ip }, true],
  ['ours, whatever else it is', { ...NEIGH, ip: '172.16.0.1' as Ip, protocol: 112 }, true],
  ['of another protocol', { ...NEIGH, protocol: 42 }, false],
  ['not permanent', { ...NEIGH, permanent: false }, false],
  ['not at a base address', { ...NEIGH, ip: '10.244.2.1' as Ip }, false],
  ['not at a base address, IPv6', { ...NEIGH, ip: 'fd00:244:0:2::1' as Ip }, false],
  ['outside the pod network', { ...NEIGH, ip: '10.245.2.0' as Ip }, false],
])('a neighbour on a link of the overlay: %s', ([, neigh, own]) => {
  expect(isOwnNeigh(neigh, NETWORKS, subnetLengths([]))).toBe(own)
})

test('subnetLengths() is that of the smallest subnet, and at least what flannel takes by default', () => {
  const dsts = ['10.244.1.64/26' as Cidr, '10.244.0.0/16' as Cidr, '10.244.2.0/25' as Cidr, 'fd00:244::/56' as Cidr]
  expect(subnetLengths(dsts)).toEqual({ 4: 26, 6: 64 })
  expect(isOwnNeigh({ ...NEIGH, ip: '10.244.1.64' as Ip }, NETWORKS, subnetLengths(dsts))).toBe(true)
  expect(isOwnNeigh({ ...NEIGH, ip: '10.244.1.32' as Ip }, NETWORKS, subnetLengths(dsts))).toBe(false)
})

test('isWithin() is of the whole prefix', () => {
  expect(isWithin(NETWORKS, '10.244.0.0/16' as Cidr)).toBe(true)
  expect(isWithin(NETWORKS, '10.244.0.0/15' as Cidr)).toBe(false)
  expect(isWithin(NETWORKS, 'fd00:244:0:1::1/128' as Cidr)).toBe(true)
  expect(isWithin([], '10.244.0.0/16' as Cidr)).toBe(false)
})
