import { expect, test } from 'vitest'
import { DecodeError } from '../../../addr/error.ts'
import { bareNode, flannelAnnotations, flannelNode } from '../../../test/kubernetes/node-object.ts'
import { annotationNames, DEFAULT_PREFIX } from './annotations.ts'
import { leaseOf, type NodeObject, podCidrsOf, publicAddressesOf, requireNode, tokenOf } from './node.ts'

const names = annotationNames(DEFAULT_PREFIX)

const node = (podCIDRs: readonly string[], values: Readonly<Record<string, string>>): NodeObject => {
  const bare = bareNode('n1', ...podCIDRs)
  const annotations = flannelAnnotations({ 'kube-subnet-manager': 'true', ...values })
  return { ...bare, metadata: { ...bare.metadata, annotations } }
}

const V4 = '10.244.1.0/24'
const V6 = 'fd00:244:0:1::/64'
const vxlan = {
  'backend-type': 'vxlan',
  'backend-data': '{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}',
  'public-ip': '192.0.2.1',
}
const vxlanV6 = { 'backend-v6-data': '{"VNI":1,"VtepMAC":"0e:00:00:00:06:01"}', 'public-ipv6': '2001:db8::1' }

const IPV4_LEASE = {
  key: 'n1',
  subnet: V4,
  publicIP: '192.0.2.1',
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: '0e:00:00:00:00:01' },
  v6Data: {},
}

test.for<[string, readonly string[], Readonly<Record<string, string>>, object]>([
  ['vxlan', [V4], vxlan, IPV4_LEASE],
  [
    'vxlan in both families',
    [V4, V6],
    { ...vxlan, ...vxlanV6 },
    {
      ...IPV4_LEASE,
      ipv6Subnet: V6,
      publicIPv6: '2001:db8::1',
      v6Data: { vni: 1, vtepMac: '0e:00:00:00:06:01' },
    },
  ],
  ['IPv6 first among the podCIDRs', [V6, V4], vxlan, IPV4_LEASE],
  ['a podCIDR of a family that nothing is published of', [V4, V6], vxlan, IPV4_LEASE],
  [
    'host-gw, whose data flanneld writes as null',
    [V4],
    { 'backend-type': 'host-gw', 'backend-data': 'null', 'public-ip': '192.0.2.1' },
    { ...IPV4_LEASE, backendType: 'host-gw', data: {} },
  ],
  [
    'IPv6 alone, where flanneld writes the zero address',
    [V6],
    {
      'backend-type': 'host-gw',
      'backend-data': 'null',
      'public-ip': '0.0.0.0',
      'backend-v6-data': 'null',
      'public-ipv6': '2001:db8::1',
    },
    { key: 'n1', ipv6Subnet: V6, publicIPv6: '2001:db8::1', backendType: 'host-gw', data: {}, v6Data: {} },
  ],
  [
    'wireguard',
    [V4],
    {
      'backend-type': 'wireguard',
      'backend-data': '{"PublicKey":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","Port":51820}',
      'public-ip': '192.0.2.1',
    },
    {
      ...IPV4_LEASE,
      backendType: 'wireguard',
      data: { publicKey: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', port: 51820 },
    },
  ],
])('leaseOf() reads %s', ([, podCIDRs, values, lease]) => {
  expect(leaseOf(node(podCIDRs, values), names)).toEqual(lease)
})

test.for<[string, readonly string[], Readonly<Record<string, string>>, string]>([
  [
    'a public address that is none',
    [V4],
    { ...vxlan, 'public-ip': '192.0.2.300' },
    'public-ip: "192.0.2.300" is not an IPv4',
  ],
  [
    'one of the other family',
    [V4],
    { ...vxlan, 'public-ip': '2001:db8::1' },
    'public-ip: "2001:db8::1" is not an IPv4',
  ],
  ['data that is not JSON', [V4], { ...vxlan, 'backend-data': '{"VNI":' }, 'backend-data'],
  [
    'a MAC that is none',
    [V4],
    { ...vxlan, 'backend-data': '{"VNI":1,"VtepMAC":"x"}' },
    'backend-data.VtepMAC: "x" is not',
  ],
  ['a podCIDR that is none', ['10.244.1/24'], vxlan, 'spec.podCIDRs: "10.244.1/24"'],
  ['no address at all', [V4], { 'backend-type': 'vxlan' }, 'public-ip: missing'],
  ['addresses of the other family alone', [V4], { 'backend-type': 'vxlan', ...vxlanV6 }, 'public-ip: missing'],
])('leaseOf() refuses %s', ([, podCIDRs, values, words]) => {
  const act = () => leaseOf(node(podCIDRs, values), names)
  expect(act).toThrow(DecodeError)
  expect(act).toThrow(words)
})

test.for<[string, NodeObject, boolean]>([
  ['annotated and with a podCIDR', flannelNode(1), true],
  ['without a podCIDR', node([], vxlan), false],
  ['without annotations', bareNode('n1', V4), false],
  ['whose agent was taken away', node([V4], { ...vxlan, 'kube-subnet-manager': 'false' }), false],
])('tokenOf() of a node %s', ([, object, hasLease]) => {
  expect(tokenOf(object, names) !== '').toBe(hasLease)
})

test('tokenOf() changes with everything a lease is made of, and with nothing else', () => {
  const token = (podCIDRs: readonly string[], values: Readonly<Record<string, string>>) =>
    tokenOf(node(podCIDRs, values), names)
  const all = { ...vxlan, ...vxlanV6 }
  const changes = Object.keys(all).map((name) => token([V4], { ...all, [name]: 'x' }))
  const tokens = [token([V4], all), token([V6], all), token([V4, V6], all), ...changes]
  expect(new Set(tokens).size).toBe(tokens.length)
  expect(token([V4], { ...all, 'some-other': 'x' })).toBe(token([V4], all))
})

test('podCidrsOf() takes the field of before dual stack where the newer is missing, and clears host bits', () => {
  expect(podCidrsOf({ metadata: { name: 'n' }, spec: { podCIDR: '10.1.2.3/24' } })).toEqual({ 4: '10.1.2.0/24' })
  expect(podCidrsOf({ metadata: { name: 'n' }, spec: { podCIDR: V4, podCIDRs: [] } })).toEqual({ 4: V4 })
})

test('publicAddressesOf() reads what somebody has set', () => {
  const set = { 'node-public-ip': '192.0.2.9', 'node-public-ipv6': '2001:db8::9' }
  expect(publicAddressesOf(node([V4], set), names)).toEqual({ publicIP: '192.0.2.9', publicIPv6: '2001:db8::9' })
  expect(publicAddressesOf(node([V4], vxlan), names)).toEqual({})
  expect(() => publicAddressesOf(node([V4], { 'node-public-ip': 'eth0' }), names)).toThrow(
    'node-public-ip: "eth0" is not',
  )
})

test.for([null, 1, {}, { metadata: {} }, { metadata: { name: '' } }])('requireNode(%j) refuses it', (value) => {
  expect(() => requireNode(value)).toThrow(DecodeError)
})
