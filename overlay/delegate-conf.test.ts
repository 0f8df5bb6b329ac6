import { describe, expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import { callOf } from '../test/support/call.ts'
import { delegateConf, delegateDrift, recordedSubnets, requireDelegate } from './delegate-conf.ts'
import { parseSubnetEnv, type SubnetEnv } from './subnet-env.ts'

const IPV4 = 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n'
const IPV6 = 'FLANNEL_IPV6_NETWORK=2001:cafe:42::/56\nFLANNEL_IPV6_SUBNET=2001:cafe:42:1::1/64\n'
const BOTH = parseSubnetEnv(`${IPV4}${IPV6}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`)
const ONE = parseSubnetEnv(`${IPV4}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`)

const KEYS = {
  cniVersion: '0.4.0',
  name: 'cbr0',
  type: 'flannel',
  delegate: { hairpinMode: true, isDefaultGateway: true },
  ipam: { routes: [{ dst: '10.96.0.0/12' }] },
  runtimeConfig: { mac: '02:00:00:00:00:01' },
}

/** What flannel-io/cni-plugin 092e6d2 (v1.9.1) wrote to its dataDir for `KEYS` and `BOTH`: taken from its own executable. */
const UPSTREAM =
  '{"cniVersion":"0.4.0","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet":"2001:cafe:42:1::/64"}]],"routes":[{"dst":"10.96.0.0/12"},{"dst":"10.244.0.0/16"},{"dst":"2001:cafe:42::/56"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","runtimeConfig":{"mac":"02:00:00:00:00:01"},"type":"bridge"}'

/** What the plugin of containernetworking/plugins 0.9.0 wrote, which knew IPv4 alone. */
const OLDER =
  '{"cniVersion":"0.4.0","hairpinMode":true,"ipMasq":false,"ipam":{"routes":[{"dst":"10.96.0.0/12"},{"dst":"10.244.0.0/16"}],"subnet":"10.244.1.0/24","type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","runtimeConfig":{"mac":"02:00:00:00:00:01"},"type":"bridge"}'

test('delegateConf() is what flannel’s plugin makes', () =>
  expect(delegateConf(callOf(KEYS), BOTH)).toEqual(JSON.parse(UPSTREAM)))

describe('delegateConf()', () => {
  test.for<[string, object, SubnetEnv | undefined, object]>([
    ['masquerades when the node does not', {}, ONE, { type: 'bridge', ipMasq: true, isGateway: true }],
    ['makes no gateway of another plugin', { delegate: { type: 'ptp' } }, ONE, { type: 'ptp', mtu: 1450 }],
    ['knows no MTU without a lease', {}, undefined, { type: 'bridge', ipam: { type: 'host-local', ranges: [] } }],
  ])('%s', ([, keys, env, expected]) => expect(delegateConf(callOf(keys), env)).toMatchObject(expected))

  test('takes keys of delegate before its own', () =>
    expect(delegateConf(callOf({ delegate: { mtu: 1400, ipMasq: true, isGateway: false } }), BOTH)).toMatchObject({
      ...{ mtu: 1400, ipMasq: true, isGateway: false },
    }))

  test('isGateway is for bridge alone', () =>
    expect(delegateConf(callOf({ delegate: { type: 'ptp' } }), ONE)).not.toHaveProperty('isGateway'))

  test('keeps what ipam says beside ranges and routes', () => {
    const ipam = { type: 'static', dataDir: '/x', ranges: [[{ subnet: '10.1.0.0/16' }]] }
    expect(delegateConf(callOf({ ipam }), ONE).ipam).toEqual({
      ...{ type: 'static', dataDir: '/x', ranges: [[{ subnet: '10.244.1.0/24' }]] },
      routes: [{ dst: '10.244.0.0/16' }],
    })
  })

  test('takes other subnets where the lease is not known', () =>
    expect(delegateConf(callOf({}), undefined, ['10.1.2.0/24']).ipam).toMatchObject({
      ranges: [[{ subnet: '10.1.2.0/24' }]],
    }))
})

test('recordedSubnets() are those of the pod’s addresses', () => {
  const interfaces = [{ name: 'cni0' }, { name: 'eth0', sandbox: '/run/netns/pod' }]
  const ips = ['10.244.1.7/24', 'fd00::7/64', '10.9.0.1/24'].map((address, i) => ({
    ...{ address: address as Cidr, interface: i < 2 ? 1 : 0 },
  }))
  expect(recordedSubnets(callOf({}, { prevResult: { interfaces, ips } }))).toEqual(['10.244.1.0/24', 'fd00::/64'])
})

describe('requireDelegate()', () => {
  test.for<[object, string]>([
    [{ name: 'x' }, '$.delegate.name: "x" must not be there: flannel sets it, from $.name'],
    [
      { ipam: { type: 'static' } },
      '$.delegate.ipam: {"type":"static"} must not be there: flannel sets it, from $.ipam',
    ],
    [{ type: 'flannel' }, '$.delegate.type: "flannel" would delegate to itself: name another plugin'],
  ])('refuses %j', ([delegate, message]) =>
    expect(() => requireDelegate({ delegate: delegate as never }, 'flannel')).toThrow(message),
  )

  test('lets everything else through', () => requireDelegate({ delegate: { type: 'ptp', x: { ipam: 1 } } }, 'flannel'))
})

describe('delegateDrift()', () => {
  const call = callOf(KEYS)
  const now = delegateConf(call, BOTH)
  const older = parseSubnetEnv(`${IPV4}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`)

  test('finds none in what was written by whichever implementation', () => {
    expect(delegateDrift(call, JSON.parse(UPSTREAM), now)).toEqual([])
    expect(delegateDrift(call, JSON.parse(OLDER), delegateConf(call, older))).toEqual([])
  })

  test('names each difference', () => {
    const other = parseSubnetEnv(
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=false\n',
    )
    expect(delegateDrift(call, delegateConf(call, ONE), delegateConf(call, other))).toEqual([
      'subnets: the pod was attached with ["10.244.1.0/24"], the node has ["10.244.9.0/24"]',
      'mtu: the pod was attached with 1450, the node has 1400',
    ])
  })

  test('is not about keys that the configuration sets', () => {
    const own = callOf({ ...KEYS, delegate: { mtu: 1300 } })
    expect(delegateDrift(own, { ...now, mtu: 1200 }, delegateConf(own, BOTH))).toEqual([])
  })

  test('finds a configuration without addresses to differ', () =>
    expect(delegateDrift(call, { type: 'bridge', mtu: 1450, ipMasq: false, ipam: 7 }, now)).toHaveLength(1))
})
