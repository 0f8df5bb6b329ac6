/** `loopback` on the real kernel, and beside the reference plugin. */
import { beforeEach, expect, test } from 'vitest'
import { must } from '../support/command.ts'
import { ipJson, makeNetns, mustIn } from '../support/netns.ts'
import { binDir, callPlugin, mustCall, type PluginOutput, REFERENCE } from '../support/plugin.ts'

let node = ''
let pod = ''
beforeEach(() => {
  node = makeNetns('node')
  pod = makeNetns('pod')
})

const conf = { cniVersion: '1.0.0', name: 'net', type: 'loopback' }
const call = (verb: string, keys: object = {}, bin = binDir()) => ({
  ...{ bin, node, verb, containerID: 'c1', netns: pod, ifName: 'lo' },
  conf: { ...conf, ...keys },
})
const ask = (verb: string, keys: object = {}): PluginOutput => callPlugin(call(verb, keys))

const stateOf = (netns: string): { up: boolean; addresses: readonly string[] } => {
  const [lo] = ipJson(netns, 'addr', 'show', 'dev', 'lo') as unknown as readonly {
    readonly flags: readonly string[]
    readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[]
  }[]
  const addresses = (lo?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`)
  return { up: lo?.flags.includes('UP') ?? false, addresses }
}

const UP = { up: true, addresses: ['127.0.0.1/8', '::1/128'] }

test('ADD brings lo up and returns its addresses, as the reference does', () => {
  const other = makeNetns('reference')
  const reference = mustCall({ ...call('ADD', {}, REFERENCE), netns: other })
  const result = mustCall(call('ADD'))
  expect(stateOf(pod)).toEqual(UP)
  expect(JSON.stringify(result)).toBe(
    JSON.stringify({
      cniVersion: '1.0.0',
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: `/run/netns/${pod}` }],
      ips: [
        { address: '127.0.0.1/8', interface: 0 },
        { address: '::1/128', interface: 0 },
      ],
    }),
  )
  expect(JSON.parse(JSON.stringify(reference).replaceAll(other, pod))).toMatchObject(result as object)
})

test('ADD ignores CNI_IFNAME, and a second one succeeds', () => {
  mustCall({ ...call('ADD'), ifName: 'eth0' })
  mustCall({ ...call('ADD'), ifName: 'eth0' })
  expect(stateOf(pod)).toEqual(UP)
})

test('ADD without IPv6 returns the IPv4 address alone', () => {
  mustIn(pod, ['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.lo.disable_ipv6=1'])
  expect(mustCall(call('ADD'))).toMatchObject({ ips: [{ address: '127.0.0.1/8' }] })
})

test('ADD prints the previous result as it came in', () => {
  const prevResult = { cniVersion: '1.0.0', ips: [{ address: '10.0.0.1/8' }], unknown: { a: [null] } }
  expect(mustCall(call('ADD', { prevResult }))).toEqual(prevResult)
  expect(stateOf(pod)).toEqual(UP)
})

test('ADD refuses a loopback interface with a foreign address, and names it', () => {
  must(['ip', '-n', pod, 'addr', 'add', '192.0.2.1/24', 'dev', 'lo'])
  expect(ask('ADD')).toMatchObject({
    status: 1,
    json: { code: 103, msg: expect.stringContaining('192.0.2.1/24'), details: expect.stringContaining('ip addr del') },
  })
})

test('ADD names a namespace that is not there', () =>
  expect(callPlugin({ ...call('ADD'), netns: '/run/netns/pw-none' })).toMatchObject({
    status: 1,
    json: { code: 4, msg: expect.stringContaining('CNI_NETNS "/run/netns/pw-none"') },
  }))

test('CHECK passes after ADD and finds lo down', () => {
  const prevResult = mustCall(call('ADD'))
  expect(ask('CHECK', { prevResult })).toMatchObject({ status: 0, stdout: '' })
  must(['ip', '-n', pod, 'link', 'set', 'lo', 'down'])
  expect(ask('CHECK', { prevResult })).toMatchObject({
    status: 1,
    json: { code: 100, msg: expect.stringContaining('lo') },
  })
})

test('DEL takes lo down, twice', () => {
  mustCall(call('ADD'))
  for (const _ of ['once', 'twice']) expect(ask('DEL')).toMatchObject({ status: 0, stdout: '' })
  expect(stateOf(pod).up).toBe(false)
})

test.each([undefined, '/run/netns/pw-none', '/etc/passwd'])('DEL with the namespace %s succeeds', (netns) => {
  const { netns: _, ...rest } = call('DEL')
  expect(callPlugin(netns === undefined ? rest : { ...rest, netns })).toMatchObject({
    status: 0,
    stdout: '',
    stderr: '',
  })
})

test('GC and STATUS succeed', () => {
  expect(ask('GC', { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] })).toMatchObject({ status: 0, stdout: '' })
  expect(ask('STATUS', { cniVersion: '1.1.0' })).toMatchObject({ status: 0, stdout: '' })
})
