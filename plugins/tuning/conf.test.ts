import { expect, test } from 'vitest'
import type { Call, Json } from '../../cni/plugin.ts'
import { parseTuningConf } from './conf.ts'

const parse = (keys: Record<string, Json>, more: Partial<Call> = {}) => {
  const conf = { cniVersion: '1.0.0', name: 'net', type: 'tuning', ...keys }
  const call: Call = {
    verb: 'ADD',
    containerID: 'cid',
    ifName: 'eth0.7',
    netns: '/ns',
    args: {},
    path: [],
    conf,
    stdin: JSON.stringify(conf),
    prevResult: undefined,
    valid: [],
    delegate: () => undefined,
    ...more,
  }
  return parseTuningConf(call)
}
const pathOf = (key: string) => parse({ sysctl: { [key]: '1' } }).sysctls[0]?.path

test.for([
  ['net.core.somaxconn', 'net/core/somaxconn'],
  ['net.ipv4.conf.IFNAME.arp_filter', 'net/ipv4/conf/eth0.7/arp_filter'],
  ['net/ipv4/conf/eth0.7/arp_filter', 'net/ipv4/conf/eth0.7/arp_filter'],
  ['net/ipv4/conf/IFNAME/arp_filter', 'net/ipv4/conf/eth0.7/arp_filter'],
  ['net.ipv4/ip_forward', 'net/ipv4/ip_forward'],
] as const)('parseTuningConf() reads sysctl %s as %s', ([key, path]) => {
  expect(pathOf(key)).toBe(path)
})

test.for([
  'kernel.shmmax',
  'net',
  'net.',
  'net..ipv4.ip_forward',
  'net/../kernel/shmmax',
  '/net/ipv4/ip_forward',
  'net.ipv4.ip_forward\0',
  'xnet.ipv4.ip_forward',
  '',
])('parseTuningConf() refuses sysctl %j', (key) => {
  expect(() => pathOf(key)).toThrow('is not a key below net')
})

test('parseTuningConf() refuses a sysctl given twice, in the text or in two spellings', () => {
  const twice = '{"sysctl":{"net.ipv4.ip_forward":"1","net.ipv4.ip_forward":"0"}}'
  expect(() => parse({ sysctl: { 'net.ipv4.ip_forward': '0' } }, { stdin: twice })).toThrow('given twice')
  expect(() => parse({ sysctl: { 'net.ipv4.ip_forward': '0', 'net/ipv4/ip_forward': '1' } })).toThrow('the same key')
})

test('parseTuningConf() lets args.cni override key by key, with no sysctl on top too', () => {
  const sysctl = { 'net.ipv4.ip_forward': '1' }
  const args = { cni: { sysctl: { 'net.ipv4.ip_forward': '0', 'net.core.somaxconn': '9' }, mtu: 1300, promisc: false } }
  expect(parse({ args }).sysctls.map(({ value }) => value)).toEqual(['0', '9'])
  const both = parse({ sysctl, mtu: 1400, promisc: true, txQLen: 0, args })
  expect(both.sysctls.map(({ path, value }) => `${path}=${value}`)).toEqual([
    'net/ipv4/ip_forward=0',
    'net/core/somaxconn=9',
  ])
  expect(both.attributes).toEqual({ mtu: 1300, txQLen: 0 })
})

const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03', '02:00:00:00:00:04'] as const
const [own, env, capability, args] = MACS
test.for([
  [{ mac: own }, {}, own],
  [{ mac: own }, { MAC: env }, env],
  [{ mac: own, runtimeConfig: { mac: capability } }, { MAC: env }, capability],
  [{ mac: own, runtimeConfig: { mac: capability }, args: { cni: { mac: args } } }, { MAC: env }, args],
  [{ mac: own, runtimeConfig: { mac: '' }, args: { cni: { mac: '' } } }, { MAC: '' }, own],
  [{ mac: '', mtu: 0, promisc: false }, {}, undefined],
] as const)('parseTuningConf() takes the MAC of %j and CNI_ARGS %j', ([keys, callArgs, mac]) => {
  expect(parse(keys, { args: callArgs }).attributes).toEqual(mac === undefined ? {} : { mac })
})

test('parseTuningConf() names the key of a MAC that is none', () => {
  expect(() => parse({ args: { cni: { mac: 'x' } } })).toThrow('$.args.cni.mac: "x"')
  expect(() => parse({}, { args: { MAC: 'y' } })).toThrow('CNI_ARGS MAC: "y"')
})

test('parseTuningConf() keeps allmulti false, and the default of dataDir', () => {
  expect(parse({ allmulti: false, dataDir: '' })).toMatchObject({
    attributes: { allmulti: false },
    dataDir: '/run/cni/tuning',
  })
  expect(() => parse({ dataDir: 'run/tuning' })).toThrow('$.dataDir: "run/tuning" is not an absolute path')
})
