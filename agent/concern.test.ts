import { expect, test } from 'vitest'
import { parseCidr } from '../addr/cidr.ts'
import { readIp } from '../addr/ip.ts'
import { readMac } from '../addr/mac.ts'
import type { KernelEvent } from '../kernel/monitor.ts'
import type { Plan } from '../kernel/plan.ts'
import type { OverlayNode } from '../overlay/planner.ts'
import { isConcern, type Links } from './concern.ts'
import { type Desired, openDesired } from './desired.ts'

const ip = (text: string) => readIp(text) ?? expect.fail(text)
const mac = (text: string) => readMac(text) ?? expect.fail(text)
const [VTEP, ENDPOINT, MAC] = [ip('10.244.2.0'), ip('192.0.2.2'), mac('02:00:00:00:00:02')]
const SUBNET = parseCidr('10.244.2.0/24')

const PEER: Plan = [
  { kind: 'neigh', ns: 'node', dev: 'flannel.1', table: 'neigh', ip: VTEP, lladdr: MAC },
  { kind: 'neigh', ns: 'node', dev: 'flannel.1', table: 'fdb', ip: ENDPOINT, lladdr: MAC },
  { kind: 'route', ns: 'node', dev: 'flannel.1', dst: SUBNET, via: VTEP, onlink: true, protocol: 112 },
]
const NODE = { underlay: { name: 'eth0', mtu: 1500, addresses: [] } } as unknown as OverlayNode
const desired = (): Desired => {
  const made = openDesired(NODE, { devices: ['flannel.1'], carriers: ['eth0'], networks: [] }, [])
  made.put('peer', PEER)
  return made
}
const LINKS: Links = { devices: new Map([[7, 'flannel.1']]), underlay: 2 }

const link = (name: string, index: number): KernelEvent => ({ kind: 'link', change: 'set', index, name, up: true })
const other = mac('02:00:00:00:00:99')

test.each<[string, KernelEvent, boolean]>([
  ['messages that were lost', { kind: 'lost' }, true],
  ['the overlay’s link', link('flannel.1', 7), true],
  ['a new link with its name', link('flannel.1', 99), true],
  ['its link under another name', link('renamed', 7), true],
  ['the underlay', link('eth0', 2), true],
  ['a pod’s link', link('veth1', 40), false],
  ['an address of the underlay', { kind: 'addr', change: 'set', index: 2 }, true],
  ['an address of the overlay’s link', { kind: 'addr', change: 'gone', index: 7 }, true],
  ['an address of another link', { kind: 'addr', change: 'set', index: 40 }, false],
  ['a route with our number', { kind: 'route', change: 'gone', index: 2, dst: SUBNET, protocol: 112 }, true],
  ['a route in the place of ours', { kind: 'route', change: 'set', index: 2, dst: SUBNET, protocol: 4 }, true],
  [
    'a route over our link',
    { kind: 'route', change: 'set', index: 7, dst: parseCidr('10.9.0.0/16'), protocol: 4 },
    true,
  ],
  [
    'a route of somebody else',
    { kind: 'route', change: 'set', index: 2, dst: parseCidr('10.9.0.0/16'), protocol: 4 },
    false,
  ],
  ['our table', { kind: 'nft', table: 'podwire-overlay' }, true],
  ['another table', { kind: 'nft', table: 'kube-proxy' }, false],
  ['our own entry being set', { kind: 'fdb', change: 'set', index: 7, ip: ENDPOINT, lladdr: MAC }, false],
  ['our own entry, gone', { kind: 'fdb', change: 'gone', index: 7, ip: ENDPOINT, lladdr: MAC }, true],
  ['our entry, led elsewhere', { kind: 'fdb', change: 'set', index: 7, ip: ip('192.0.2.9'), lladdr: MAC }, true],
  ['what our entry was before', { kind: 'fdb', change: 'gone', index: 7, ip: ip('192.0.2.9'), lladdr: MAC }, false],
  ['an entry of others', { kind: 'fdb', change: 'gone', index: 7, ip: ENDPOINT, lladdr: other }, false],
  ['an entry of another link', { kind: 'fdb', change: 'gone', index: 40, ip: ENDPOINT, lladdr: MAC }, false],
  ['a neighbour, gone', { kind: 'neigh', change: 'gone', index: 7, ip: VTEP }, true],
  ['a neighbour with another MAC', { kind: 'neigh', change: 'set', index: 7, ip: VTEP, lladdr: other }, true],
  ['a neighbour of others', { kind: 'neigh', change: 'gone', index: 7, ip: ip('10.244.2.9') }, false],
])('isConcern() of %s', (_, event, expected) => {
  expect(isConcern(event, desired(), LINKS)).toBe(expected)
})

test('what a peer had is no concern once it is gone', () => {
  const now = desired()
  expect(now.put('peer', undefined)).toEqual(PEER)
  expect(isConcern({ kind: 'fdb', change: 'gone', index: 7, ip: ENDPOINT, lladdr: MAC }, now, LINKS)).toBe(false)
  expect(now.plan()).toEqual([])
})
