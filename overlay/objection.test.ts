import { expect, test } from 'vitest'
import { parseCidr } from '../addr/cidr.ts'
import { parseIp } from '../addr/ip.ts'
import { parseMac } from '../addr/mac.ts'
import type { Json, JsonObject } from '../cni/plugin.ts'
import { confOf, DUAL, IPV4, IPV6, keyOf, leaseOf, macOf, nodeOf, siteOf } from '../test/support/overlay.ts'
import type { Lease } from './lease.ts'
import { type AdmissionRules, makeObjection } from './objection.ts'

const rulesOf = (families: JsonObject, backend: Json): AdmissionRules => ({
  node: nodeOf(1, confOf(families, backend)),
  anyLength: false,
})
const VXLAN = rulesOf(IPV4, {})
/** What node 2 publishes. */
const good = ({ node }: AdmissionRules): Lease => leaseOf(2, siteOf(2, node.conf))

test.for<[name: string, rules: AdmissionRules]>([
  ['vxlan', VXLAN],
  ['vxlan of both families', rulesOf(DUAL, {})],
  ['host-gw', rulesOf(DUAL, { Type: 'host-gw' })],
  ['ipip', rulesOf(IPV4, { Type: 'ipip' })],
  ['wireguard', rulesOf(DUAL, { Type: 'wireguard' })],
  ['wireguard with one device', rulesOf(DUAL, { Type: 'wireguard', Mode: 'auto' })],
])('a lease as flanneld and podwire write it finds no objection: %s', ([, rules]) => {
  expect(makeObjection(rules)(good(rules))).toBeUndefined()
})

const mac = (text: string) => ({ data: { vni: 1, vtepMac: parseMac(text) } })
const at = (text: string) => ({ publicIP: parseIp(text) })
const has = (text: string) => ({ subnet: parseCidr(text) })

test.for<[name: string, changes: Partial<Lease>, reason: string]>([
  ['another backend', { backendType: 'host-gw' }, 'its backend is "host-gw", that of this network "vxlan"'],
  ['the route to the world', has('0.0.0.0/0'), 'its subnet 0.0.0.0/0 is not inside the network 10.244.0.0/16'],
  ['half of the world', has('0.0.0.0/1'), 'its subnet 0.0.0.0/1 is not inside the network 10.244.0.0/16'],
  ['a subnet outside', has('10.245.2.0/24'), 'its subnet 10.245.2.0/24 is not inside the network 10.244.0.0/16'],
  ['the whole network', has('10.244.0.0/16'), 'its subnet 10.244.0.0/16 is not a /24, as SubnetLen says'],
  ['a subnet too long', has('10.244.2.0/25'), 'its subnet 10.244.2.0/25 is not a /24, as SubnetLen says'],
  ['our subnet', has('10.244.1.0/24'), "its subnet 10.244.1.0/24 overlaps 10.244.1.0/24, this node's own"],
  ['our address', at('192.0.2.1'), "its public address 192.0.2.1 is this node's own"],
  ['a loopback address', at('127.0.0.1'), 'its public address 127.0.0.1 is none that a node can have'],
  ['a multicast address', at('224.0.0.1'), 'its public address 224.0.0.1 is none that a node can have'],
  ['the broadcast address', at('255.255.255.255'), 'its public address 255.255.255.255 is none that a node can have'],
  ["the underlay's broadcast address", at('192.0.2.255'), 'its public address 192.0.2.255 is none that a node'],
  ["the underlay's network address", at('192.0.2.0'), 'its public address 192.0.2.0 is none that a node can have'],
  ["a pod's address", at('10.244.9.9'), "its public address 10.244.9.9 is a pod's"],
  ['another VNI', { data: { vni: 2, vtepMac: macOf(2) } }, 'its VNI is 2, that of this network 1'],
  ['no MAC', { data: { vni: 1 } }, 'it names no VtepMAC'],
  ['a MAC of zeros', mac('00:00:00:00:00:00'), 'its VtepMAC 00:00:00:00:00:00 is none'],
  ['a multicast MAC', mac('01:00:5e:00:00:01'), "its VtepMAC 01:00:5e:00:00:01 is a group's"],
  ['the broadcast MAC', mac('ff:ff:ff:ff:ff:ff'), "its VtepMAC ff:ff:ff:ff:ff:ff is a group's"],
  ['our MAC', mac('0e:00:00:00:00:01'), "its VtepMAC 0e:00:00:00:00:01 is this node's own"],
])('an objection to %s', ([, changes, reason]) => {
  expect(makeObjection(VXLAN)({ ...good(VXLAN), ...changes })).toContain(reason)
})

const without = (from: Lease, ...members: readonly (keyof Lease)[]): Lease =>
  Object.fromEntries(Object.entries(from).filter(([key]) => !members.includes(key as keyof Lease))) as unknown as Lease

test.for<[name: string, rules: AdmissionRules, bad: (good: Lease) => Lease, reason: string]>([
  ['no public address', VXLAN, (l) => without(l, 'publicIP'), 'it has no PublicIP, and its subnet is 10.244.2.0/24'],
  [
    'no IPv6 address with an IPv6 subnet',
    rulesOf(DUAL, {}),
    (l) => without(l, 'publicIPv6'),
    'it has no PublicIPv6, and its subnet is fd00:244:0:2::/64',
  ],
  [
    'IPv6 outside',
    rulesOf(DUAL, {}),
    (l) => ({ ...l, ipv6Subnet: parseCidr('::/0') }),
    'its subnet ::/0 is not inside the network fd00:244::/48',
  ],
  ['IPv6 loopback', rulesOf(IPV6, {}), (l) => ({ ...l, publicIPv6: parseIp('::1') }), 'its public address ::1 is none'],
  [
    'IPv6 multicast',
    rulesOf(IPV6, {}),
    (l) => ({ ...l, publicIPv6: parseIp('ff02::1') }),
    'its public address ff02::1 is none',
  ],
  ['no subnet of an enabled family', rulesOf(IPV6, {}), (l) => without(l, 'ipv6Subnet'), 'it has no subnet of IPv6'],
  ['no key', rulesOf(IPV4, { Type: 'wireguard' }), (l) => ({ ...l, data: { port: 51820 } }), 'it names no PublicKey'],
  [
    'our key',
    rulesOf(IPV4, { Type: 'wireguard' }),
    (l) => ({ ...l, data: { publicKey: keyOf(1) } }),
    "AAE= is this node's own",
  ],
  [
    'no address that the mode can use',
    rulesOf(DUAL, { Type: 'wireguard', Mode: 'ipv6' }),
    (l) => without(l, 'publicIPv6'),
    'it has no public address that Mode "ipv6" can use',
  ],
])('an objection to %s', ([, rules, bad, reason]) => {
  expect(makeObjection(rules)(bad(good(rules)))).toContain(reason)
})

test('no objection to what a lease says of a family that is off', () => {
  const strange = { ipv6Subnet: parseCidr('::/0'), publicIPv6: parseIp('::1') }
  expect(makeObjection(VXLAN)({ ...good(VXLAN), ...strange })).toBeUndefined()
})
