import { expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import type { Call, Json } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { parseFirewallConf } from './conf.ts'
import { knownSources, podOf } from './pod.ts'

const callOf = (keys: Record<string, Json>, prevResult?: Result): Call => ({
  verb: 'ADD',
  containerID: 'cid',
  ifName: 'eth0',
  netns: '/ns',
  args: {},
  path: [],
  conf: { cniVersion: '1.1.0', name: 'net', type: 'firewall', ...keys },
  stdin: '',
  prevResult,
  valid: [],
  delegate: () => undefined,
})
const confOf = (keys: Record<string, Json>) => parseFirewallConf(callOf(keys))

const BRIDGED: Result = {
  interfaces: [{ name: 'cni0' }, { name: 'veth1' }, { name: 'eth0', sandbox: '/ns' }],
  ips: [
    { address: parseCidr('10.1.0.2/24'), interface: 2 },
    { address: parseCidr('fd00::2/64') },
    { address: parseCidr('10.1.0.1/24'), interface: 0 },
    { address: parseCidr('10.1.0.2/24'), interface: 2 },
  ],
}

test('parseFirewallConf() takes empty values for absent ones', () => {
  expect(confOf({ backend: '', iptablesAdminChainName: '', firewalldZone: '', ingressPolicy: '' })).toEqual({
    backend: undefined,
    adminChain: 'CNI-ADMIN',
    namesAdminChain: false,
    zone: 'trusted',
    ingressPolicy: 'open',
  })
  expect(confOf({ iptablesAdminChainName: 'MINE', ingressPolicy: 'isolated' })).toMatchObject({
    adminChain: 'MINE',
    namesAdminChain: true,
    ingressPolicy: 'isolated',
  })
})

test("podOf() takes the container's addresses once each, the bridge and the ports", () => {
  const pod = podOf(confOf({ ingressPolicy: 'isolated' }), callOf({}), BRIDGED)
  expect(pod).toEqual({
    owner: { network: 'net', containerID: 'cid', ifName: 'eth0' },
    sources: ['10.1.0.2/32', 'fd00::2/128'],
    host: 'cni0',
    ports: ['veth1'],
  })
})

test('podOf() needs an interface of the node for a policy, and for nothing else', () => {
  const none: Result = { interfaces: [{ name: 'eth0', sandbox: '/ns' }], ips: BRIDGED.ips ?? [] }
  expect(podOf(confOf({}), callOf({}), none)).toMatchObject({ host: undefined, ports: [] })
  expect(() => podOf(confOf({ ingressPolicy: 'same-bridge' }), callOf({}), none)).toThrow('put firewall behind bridge')
})

test.for(['a b', '', 'interface-name-too-long', 'x\n-j ACCEPT', '../x'])(
  'podOf() refuses an interface called %j',
  (name) => {
    expect(() => podOf(confOf({}), callOf({}), { interfaces: [{ name }] })).toThrow('$.prevResult.interfaces[0].name')
  },
)

test('knownSources() is empty without prevResult', () => {
  expect(knownSources(callOf({}))).toEqual([])
  expect(knownSources(callOf({}, BRIDGED))).toContain('10.1.0.2/32')
})
