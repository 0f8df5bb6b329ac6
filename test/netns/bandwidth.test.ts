/** bandwidth as an executable: real traffic through what it set up, and upgrades from the reference plugin.
 *
 *        node                              pod
 *      [ host0 ] ======================= [ eth0 ]      10.1.2.1/24, 10.1.2.3/24
 *        | TBF out of it: what the pod receives
 *        ` redirect of what enters it -> [ bwp... ] TBF: what the pod sends
 */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { onCleanup } from '../support/cleanup.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { inside, ipJson, makeNetns, mustIn, pathOf, runIn, shellIn } from '../support/netns.ts'
import { binDir, callPlugin, mustCall, type PluginCall, type PluginOutput, REFERENCE } from '../support/plugin.ts'
import { waitFor } from '../support/probe.ts'

const POD_IP = '10.1.2.3'

interface Bed {
  readonly node: string
  readonly pod: string
  readonly prevResult: { readonly interfaces: readonly object[]; readonly ips: readonly object[] }
  readonly call: (verb: string, keys?: object, more?: Partial<PluginCall>) => PluginOutput
  readonly must: (verb: string, keys?: object, more?: Partial<PluginCall>) => unknown
}

const makeBed = (): Bed => {
  const node = makeNetns('bw-node')
  const pod = makeNetns('bw-pod')
  shellIn(node, `ip link add host0 mtu 1450 type veth peer name eth0 mtu 1450 netns ${pod}; ip link set host0 up`)
  shellIn(node, 'ip addr add 10.1.2.1/24 dev host0')
  shellIn(pod, `ip link set lo up; ip link set eth0 up; ip addr add ${POD_IP}/24 dev eth0`)
  const prevResult = {
    interfaces: [{ name: 'br0' }, { name: 'host0' }, { name: 'eth0', sandbox: pathOf(pod) }],
    ips: [{ address: `${POD_IP}/24`, interface: 2 }],
  }
  const base = { bin: binDir(), node, containerID: 'cid', netns: pod, ifName: 'eth0' }
  const conf = (keys: object) => ({ cniVersion: '1.0.0', name: 'net', type: 'bandwidth', prevResult, ...keys })
  return {
    node,
    pod,
    prevResult,
    call: (verb, keys = {}, more = {}) => callPlugin({ ...base, verb, conf: conf(keys), ...more }),
    must: (verb, keys = {}, more = {}) => mustCall({ ...base, verb, conf: conf(keys), ...more }),
  }
}

const BOTH = { ingressRate: 20_000_000, ingressBurst: 400_000, egressRate: 10_000_000, egressBurst: 400_000 }
const EGRESS = { egressRate: 10_000_000, egressBurst: 400_000 }

const ifbsOf = (node: string): readonly string[] =>
  ipJson(node, 'link', 'show', 'type', 'ifb').map(({ ifname }) => String(ifname))
const namesIn = (result: unknown): readonly string[] =>
  (result as { interfaces: readonly { name: string }[] }).interfaces.map(({ name }) => name)

/** Mbit/s that reach the receiver in a second and a half; `down`: from the node to the pod. */
const throughput = (node: string, down: boolean): number => {
  const args = ['iperf3', '-c', POD_IP, '-J', '-t', '1.5', '-O', '0.5', ...(down ? [] : ['-R'])]
  const { end } = JSON.parse(mustIn(node, args)) as { end: { sum_received: { bits_per_second: number } } }
  return end.sum_received.bits_per_second / 1e6
}

const serve = (pod: string): void => {
  const [file = '', ...args] = inside(pod, ['iperf3', '-s'])
  const child = spawn(file, args, { stdio: 'ignore' })
  onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => runIn(pod, ['ss', '-Hltn', 'sport', '=', ':5201']).stdout !== '')) throw new Error('no iperf3')
}

test('ADD limits each direction to its own rate, and DEL with the pair leaves nothing', () => {
  const { node, pod, must } = makeBed()
  const before = snapshot(node)
  serve(pod)
  expect(throughput(node, true)).toBeGreaterThan(200)
  must('ADD', BOTH)
  expect(ifbsOf(node)).toEqual([expect.stringMatching(/^bwp[0-9a-f]{12}$/)])
  const [down, up] = [throughput(node, true), throughput(node, false)]
  expect(down).toBeGreaterThan(17)
  expect(down).toBeLessThan(21)
  expect(up).toBeGreaterThan(8.5)
  expect(up).toBeLessThan(10.5)
  must('DEL', BOTH)
  expect(ifbsOf(node)).toEqual([])
  shellIn(node, 'ip link del host0')
  expect(difference(before, snapshot(node)).filter((line) => line.startsWith('+'))).toEqual([])
})

test('ADD shapes one direction alone and says what it made', () => {
  const { node, pod, must, prevResult } = makeBed()
  serve(pod)
  const result = must('ADD', EGRESS)
  const [link] = ipJson(node, 'link', 'show', 'type', 'ifb')
  expect(result).toEqual({
    cniVersion: '1.0.0',
    ...prevResult,
    interfaces: [...prevResult.interfaces, { name: link?.ifname, mac: link?.address }],
  })
  expect(link).toMatchObject({ mtu: 1450, ifalias: 'net/cid/eth0' })
  expect(throughput(node, true)).toBeGreaterThan(200)
  expect(throughput(node, false)).toBeLessThan(10.5)
})

test('ADD gives the whole burst that kubelet asks for, though it lasts longer than 2^32 ticks', () => {
  const { node, pod, must } = makeBed()
  serve(pod)
  const bandwidth = { EgressRate: 1_000_000, EgressBurst: 2 ** 31 - 1 }
  must('ADD', { runtimeConfig: { bandwidth } })
  must('CHECK', { runtimeConfig: { bandwidth } })
  expect(mustIn(node, ['tc', 'qdisc', 'show', 'dev', ifbsOf(node)[0] ?? ''])).toContain('rate 1Mbit')
  // cut off at 2^32 ticks the bucket would hold 28 MB, and the rest take minutes
  mustIn(node, ['iperf3', '-c', POD_IP, '-n', '60M', '-R'], { timeout: 20_000 })
})

test('ADD and CHECK without limits pass the previous result on and make nothing', () => {
  const { node, must, prevResult } = makeBed()
  const before = snapshot(node)
  expect(must('ADD')).toEqual({ cniVersion: '1.0.0', ...prevResult })
  must('CHECK')
  must('DEL')
  expect(difference(before, snapshot(node))).toEqual([])
})

const DRIFTS: readonly (readonly [what: string, script: string, found: string])[] = [
  ['no tbf for what it receives', 'tc qdisc del dev host0 root', 'the tbf queueing discipline of host0 is missing'],
  ['no redirect', 'tc filter del dev host0 ingress', 'host0 does not redirect what enters it to bwp'],
  [
    'another rate',
    'tc qdisc replace dev host0 root handle 1: tbf rate 1mbit burst 50kb latency 25ms',
    'has rate 125000',
  ],
  ['no ifb', 'ip link del IFB', 'interface bwp'],
  ['an ifb that is down', 'ip link set IFB down', 'has up false, not true'],
]

test.for(DRIFTS)('CHECK finds %s', ([, script, found]) => {
  const { node, call, must } = makeBed()
  must('ADD', BOTH)
  must('CHECK', BOTH)
  shellIn(node, script.replace('IFB', ifbsOf(node)[0] ?? ''))
  const { status, json } = call('CHECK', BOTH)
  expect(status).toBe(1)
  expect(json).toMatchObject({ code: 100, msg: expect.stringContaining('the attachment eth0 has drifted') })
  expect((json as { details: string }).details).toContain(found)
})

test('DEL may come twice, without namespace, without prevResult, and with other keys', () => {
  const { node, call, must } = makeBed()
  must('ADD', BOTH)
  const bare = { netns: '', env: { CNI_NETNS: '' } }
  for (const keys of [{ prevResult: undefined }, { prevResult: undefined, ...EGRESS }])
    expect(call('DEL', keys, bare)).toMatchObject({ status: 0, stdout: '' })
  expect(ifbsOf(node)).toEqual([])
})

test('two attachments of one container on one network have an ifb each', () => {
  const { node, pod, must, prevResult } = makeBed()
  shellIn(node, `ip link add host1 up type veth peer name eth1 netns ${pod}`)
  must('ADD', EGRESS)
  must('ADD', EGRESS, { ifName: 'eth1' })
  expect(ifbsOf(node)).toHaveLength(2)
  expect(prevResult.interfaces).toHaveLength(3)
  must('DEL', EGRESS, { ifName: 'eth1' })
  expect(ifbsOf(node)).toHaveLength(1)
  must('CHECK', EGRESS)
})

const gcKeys = (...valid: readonly (readonly [containerID: string, ifname: string])[]): object => ({
  cniVersion: '1.1.0',
  prevResult: undefined,
  'cni.dev/valid-attachments': valid.map(([containerID, ifname]) => ({ containerID, ifname })),
})

test('GC removes the ifbs of this network whose attachment is gone, and no others', () => {
  const { node, pod, must } = makeBed()
  shellIn(node, `for i in 1 2; do ip link add host$i up type veth peer name eth$i netns ${pod}; done`)
  const [kept = ''] = namesIn(must('ADD', EGRESS)).slice(-1)
  must('ADD', EGRESS, { ifName: 'eth1' })
  const [other = ''] = namesIn(must('ADD', { ...EGRESS, name: 'net2' }, { ifName: 'eth2' })).slice(-1)
  must('GC', gcKeys(['cid', 'eth0']))
  expect(new Set(ifbsOf(node))).toEqual(new Set([kept, other]))
  must('GC', gcKeys())
  expect(ifbsOf(node)).toEqual([other])
})

test('CHECK and DEL know what the reference plugin made', () => {
  const { node, must } = makeBed()
  const result = must('ADD', BOTH, { bin: REFERENCE })
  expect(ifbsOf(node)).toHaveLength(1)
  must('CHECK', { ...BOTH, prevResult: result })
  must('DEL', { ...BOTH, prevResult: result })
  expect(ifbsOf(node)).toEqual([])
})

test('DEL and GC leave an ifb that the reference plugin made for another interface of the container', () => {
  const { node, pod, must, prevResult } = makeBed()
  shellIn(node, `ip link add host1 up type veth peer name eth1 netns ${pod}`)
  must('ADD', EGRESS, { bin: REFERENCE })
  must('DEL', { ...EGRESS, prevResult }, { ifName: 'eth1' })
  must('GC', gcKeys(['cid', 'eth0']))
  must('GC', gcKeys())
  expect(ifbsOf(node)).toHaveLength(1)
  shellIn(node, 'ip link del host0')
  must('GC', gcKeys())
  expect(ifbsOf(node)).toEqual([])
})

test('the reference plugin knows and removes nothing of ours, and its CHECK holds where only the node end is shaped', () => {
  const { must } = makeBed()
  const ingress = { ingressRate: 20_000_000, ingressBurst: 400_000 }
  must('ADD', ingress)
  must('CHECK', ingress, { bin: REFERENCE })
})

test('ADD that fails leaves nothing', () => {
  const { node, call } = makeBed()
  shellIn(node, 'tc qdisc add dev host0 ingress')
  const before = snapshot(node)
  expect(call('ADD', BOTH)).toMatchObject({ status: 1, json: { code: 103 } })
  expect(difference(before, snapshot(node))).toEqual([])
})

test('ADD refuses an interface that is no veth, and one whose peer is not on the node', () => {
  const { node, pod, call } = makeBed()
  const far = makeNetns('bw-far')
  shellIn(pod, `ip link add br1 type bridge; ip link add eth2 type veth peer name far0 netns ${far}`)
  const before = snapshot(node)
  for (const [ifName, found] of [
    ['br1', 'is a bridge'],
    ['eth2', 'has its peer elsewhere'],
    ['lo', 'is a device'],
  ] as const)
    expect(call('ADD', BOTH, { ifName })).toMatchObject({
      status: 1,
      json: { code: 7, msg: expect.stringContaining(found) },
    })
  expect(difference(before, snapshot(node))).toEqual([])
})

test('ADD refuses rates without bursts, and a chain it begins', () => {
  const { call } = makeBed()
  expect(call('ADD', { ingressRate: 1000 }).json).toMatchObject({
    code: 7,
    msg: expect.stringContaining('ingressBurst'),
  })
  expect(call('ADD', { ingressRate: 1000, ingressBurst: 2 ** 35 }).json).toMatchObject({
    code: 7,
    msg: expect.stringContaining('ingressBurst'),
  })
  expect(call('ADD', { ...BOTH, prevResult: undefined })).toMatchObject({ status: 1, json: { code: 7 } })
})

test('STATUS is ready for root, and 50 without CAP_NET_ADMIN', () => {
  const { node, call } = makeBed()
  const keys = { cniVersion: '1.1.0', prevResult: undefined }
  const before = snapshot(node)
  expect(call('STATUS', keys)).toMatchObject({ status: 0, stdout: '' })
  const wrap = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
  expect(call('STATUS', keys, { wrap })).toMatchObject({ status: 1, json: { code: 50 } })
  expect(difference(before, snapshot(node))).toEqual([])
})
