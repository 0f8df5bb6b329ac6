/** `flannel` through the built executable, with packets: the bed of test/support/node.ts, and a `subnet.env` as an agent
 *  writes it. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Attaching, attaching } from '../support/attachment.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { ipJson, runIn, shellIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, type NodeBed, OUTSIDE_IPV4 } from '../support/node.ts'
import { binDir, callPlugin, type PluginOutput } from '../support/plugin.ts'
import { ask, listen, ping } from '../support/probe.ts'

interface Lease {
  readonly subnet?: string
  readonly mtu?: number
  readonly ipMasq?: boolean
}

const subnetFile = ({ folder }: NodeBed): string => `${folder}/subnet.env`

/** What flanneld writes for a node with both families (pkg/subnet/subnet.go WriteSubnetFile). */
const writeLease = (bed: NodeBed, { subnet = '10.244.1.1/24', mtu = 1450, ipMasq = true }: Lease = {}): void =>
  writeFileSync(
    subnetFile(bed),
    `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${subnet}\nFLANNEL_IPV6_NETWORK=fd00:244::/48\n` +
      `FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64\nFLANNEL_MTU=${mtu}\nFLANNEL_IPMASQ=${ipMasq}\n`,
  )

const confIn = (bed: NodeBed, delegate: object = { hairpinMode: true, isDefaultGateway: true }) => ({
  type: 'flannel',
  subnetFile: subnetFile(bed),
  dataDir: `${bed.folder}/flannel`,
  delegate,
  ipam: { dataDir: `${bed.folder}/ipam` },
})

const makeBed = (pods: number, lease?: Lease): NodeBed => {
  const bed = makeNode(pods, 'flannel')
  writeLease(bed, lease)
  return bed
}

const attach = (bed: NodeBed, pod = 0, delegate?: object): Attaching => attaching(bed, confIn(bed, delegate), pod)

/** What was kept of attachments: the files that upstream reads too, and the others. */
const keptIn = ({ folder }: NodeBed): readonly string[] =>
  existsSync(`${folder}/flannel`)
    ? (readdirSync(`${folder}/flannel`, { recursive: true }) as string[])
        .filter((path) => statSync(`${folder}/flannel/${path}`).isFile())
        .sort()
    : []
const reservedIn = ({ folder }: NodeBed): readonly string[] =>
  readdirSync(`${folder}/ipam/net`).filter((name) => /^[0-9a-f.:]+$/.test(name))

/** A bridge of podwire stays until GC. */
const leftIn = (bed: NodeBed, before: readonly string[]): readonly string[] =>
  difference(before, snapshot(bed.node)).filter((line) => !/sysctl.*(ip_forward|forwarding) [01]$/.test(line))

test('pods of the node’s subnets reach each other in both families, with the MTU of the lease to the byte', () => {
  const bed = makeBed(2)
  const before = snapshot(bed.node)
  const [a, b] = [attach(bed, 0), attach(bed, 1)]
  const result = a.add()
  expect(result.ips.map(({ address, gateway }) => [address, gateway])).toEqual([
    ['10.244.1.2/24', '10.244.1.1'],
    ['fd00:244:0:1::2/64', 'fd00:244:0:1::1'],
  ])
  expect(result.routes.map(({ dst }) => dst)).toEqual(['10.244.0.0/16', 'fd00:244::/48', '0.0.0.0/0', '::/0'])
  b.add()
  const [pod0 = '', pod1 = ''] = bed.pods
  expect([ping(pod0, '10.244.1.3'), ping(pod1, 'fd00:244:0:1::2'), ping(pod0, OUTSIDE_IPV4)]).toEqual([
    ...[true, true, false],
  ])
  const full = (bytes: number) => runIn(pod0, ['ping', '-c1', '-W1', '-Mdo', `-s${bytes}`, '10.244.1.3']).status
  expect([full(1450 - 28), full(1451 - 28)]).toEqual([0, 1])
  expect([a.check(result).status, keptIn(bed).length, reservedIn(bed).length]).toEqual([0, 4, 4])
  for (const one of [a, b, a]) expect(one.del()).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect([keptIn(bed), reservedIn(bed)]).toEqual([[], []])
  expect(a.gc([]).status).toBe(0)
  expect(leftIn(bed, before)).toEqual([])
})

test.for([
  [false, `web ${NODE_IPV4}`],
  [true, ''],
] as const)('with FLANNEL_IPMASQ=%j the outside hears of a pod: %j', ([ipMasq, answer]) => {
  const bed = makeBed(1, { ipMasq })
  attach(bed).add()
  const stop = listen(bed.outside, 'web', 8080)
  expect(ask({ from: bed.pods[0] ?? '', to: OUTSIDE_IPV4, port: 8080 })).toBe(answer)
  stop()
})

test('a node without a lease: STATUS is 50, ADD is 11 and leaves nothing, and both say what to do', () => {
  const bed = makeBed(1)
  const pod = attach(bed)
  for (const damage of [() => rmSync(subnetFile(bed)), () => writeFileSync(subnetFile(bed), 'FLANNEL_MTU=1450\n')]) {
    damage()
    const before = snapshot(bed.node, [bed.folder])
    const said = { msg: expect.stringContaining('no subnet'), details: expect.stringContaining('podwire agent') }
    expect(pod.call('STATUS')).toMatchObject({ status: 1, json: { code: 50, ...said } })
    expect(pod.call('ADD')).toMatchObject({ status: 1, json: { code: 11, ...said } })
    expect(difference(before, snapshot(bed.node, [bed.folder]))).toEqual([])
  }
  writeLease(bed)
  expect(pod.call('STATUS').status).toBe(0)
  pod.add()
})

test('STATUS is the delegate’s too: no address left, a delegate that is not installed', () => {
  const bed = makeBed(1, { subnet: '10.244.1.1/30' })
  const pod = attach(bed)
  pod.add()
  expect(pod.call('STATUS').json).toMatchObject({ code: 50, msg: expect.stringContaining('no address is free') })
  expect(pod.call('STATUS', { delegate: { type: 'macvtap' } }).json).toMatchObject({
    ...{ code: 50, msg: 'delegate macvtap is not available: no plugin "macvtap" in CNI_PATH' },
  })
})

test('CHECK finds what the delegate finds, and a lease that is not the pod’s', () => {
  const bed = makeBed(1)
  const pod = attach(bed)
  const result = pod.add()
  const found = (): object | undefined => pod.check(result).json as object | undefined
  expect(found()).toBe(undefined)
  writeLease(bed, { subnet: '10.244.7.1/24' })
  expect(found()).toMatchObject({ code: 100, msg: expect.stringContaining('the node has ["10.244.7.0/24"') })
  writeLease(bed, { mtu: 1400 })
  expect(found()).toMatchObject({ code: 100, msg: expect.stringContaining('attached with 1450, the node has 1400') })
  rmSync(subnetFile(bed))
  expect(found()).toMatchObject({ code: 100, msg: expect.stringContaining('it does not exist') })
  writeLease(bed)
  const host = ipJson(bed.node, 'link').find(({ ifname }) => String(ifname).startsWith('veth'))
  shellIn(bed.node, `ip link set ${host?.['ifname']} nomaster`)
  expect(found()).toMatchObject({ code: 100, msg: expect.stringContaining('delegate bridge: ') })
})

/** A DEL that names the attachment of pod 0 and no more: without namespace and result. */
const bareDel = (bed: NodeBed, env: Readonly<Record<string, string>> = {}): PluginOutput =>
  callPlugin({
    ...{ bin: binDir(), node: bed.node, verb: 'DEL', containerID: 'c0', ifName: 'eth0', env },
    conf: { cniVersion: '1.1.0', name: 'net', ...confIn(bed) },
  })

test('DEL needs neither what ADD kept, nor the lease, nor a result, nor the namespace', () => {
  const bed = makeBed(1, { ipMasq: false })
  attach(bed).add()
  const ofPod = (): readonly string[] =>
    snapshot(bed.node).filter((line) => /10\.244\.1\.2\b|veth[0-9a-f]{11}/.test(line))
  expect(ofPod()).not.toEqual([])
  rmSync(`${bed.folder}/flannel`, { recursive: true })
  rmSync(subnetFile(bed))
  expect(bareDel(bed)).toMatchObject({ status: 0, stdout: '' })
  expect([reservedIn(bed), ofPod()]).toEqual([[], []])
})

test('DEL whose delegate is not installed fails and keeps what it needs; installed again, it succeeds', () => {
  const bed = makeBed(1)
  attach(bed).add()
  const said = { code: 7, msg: 'delegate bridge: no plugin "bridge" in CNI_PATH' }
  expect(bareDel(bed, { CNI_PATH: '/none' })).toMatchObject({ status: 1, json: said })
  expect(keptIn(bed)).toEqual(['.podwire/net/c0:eth0', 'c0'])
  expect(bareDel(bed).status).toBe(0)
  expect([keptIn(bed), reservedIn(bed)]).toEqual([[], []])
})

test('GC removes what is stale, whichever implementation wrote it, and nothing else', () => {
  const bed = makeBed(3)
  const [kept, gone, foreign] = [attach(bed, 0), attach(bed, 1), attach(bed, 2)]
  const result = kept.add()
  gone.add()
  foreign.add()
  // as upstream leaves it: the one file
  rmSync(`${bed.folder}/flannel/.podwire/net/c2:eth0`)
  writeFileSync(`${bed.folder}/flannel/elsewhere`, JSON.stringify({ type: 'bridge', name: 'othernet' }))
  expect(kept.gc([{ containerID: 'c0', ifname: 'eth0' }])).toMatchObject({ status: 0, stdout: '' })
  expect(keptIn(bed)).toEqual(['.podwire/net/c0:eth0', 'c0', 'elsewhere'])
  expect(reservedIn(bed).toSorted()).toEqual(['10.244.1.2', 'fd00:244:0:1::2'])
  expect(kept.check(result).status).toBe(0)
  expect(ipJson(bed.node, 'link', 'show', 'type', 'veth').filter(({ ifname }) => ifname !== 'up0')).toHaveLength(1)
})

test('GC reaches the plugin that pods were delegated to before the configuration changed', () => {
  const bed = makeBed(1)
  const before = snapshot(bed.node)
  attach(bed, 0, { type: 'ptp' }).add()
  expect(attach(bed, 0).gc([]).status).toBe(0)
  expect([keptIn(bed), reservedIn(bed), leftIn(bed, before)]).toEqual([[], [], []])
})

test('another delegate is executed: ptp, with the lease’s MTU', () => {
  const bed = makeBed(2)
  const [a, b] = [attach(bed, 0, { type: 'ptp' }), attach(bed, 1, { type: 'ptp' })]
  const result = a.add()
  b.add()
  expect(ping(bed.pods[0] ?? '', '10.244.1.3')).toBe(true)
  expect(ipJson(bed.pods[0] ?? '', 'link', 'show', 'eth0')[0]?.['mtu']).toBe(1450)
  expect([a.check(result).status, a.del(result).status, b.del().status]).toEqual([0, 0, 0])
  expect([keptIn(bed), reservedIn(bed)]).toEqual([[], []])
})

test('a second ADD of an attachment is refused, and the first is as it was', () => {
  const bed = makeBed(1)
  const pod = attach(bed)
  const result = pod.add()
  const before = snapshot(bed.node, [bed.folder])
  expect(pod.call('ADD').json).toMatchObject({ code: 103, msg: expect.stringContaining('delegate bridge: ') })
  expect(difference(before, snapshot(bed.node, [bed.folder]))).toEqual([])
  expect([pod.check(result).status, ping(bed.pods[0] ?? '', '10.244.1.1')]).toEqual([0, true])
})

test('what the runtime offers reaches the delegate: a MAC', () => {
  const bed = makeBed(1)
  const result = attach(bed).add({ runtimeConfig: { mac: '02:00:00:00:00:17' } })
  expect(result.interfaces.find(({ sandbox }) => sandbox !== undefined)?.mac).toBe('02:00:00:00:00:17')
  expect(JSON.parse(readFileSync(`${bed.folder}/flannel/c0`, 'utf8'))).toMatchObject({
    runtimeConfig: { mac: '02:00:00:00:00:17' },
  })
})

test('podwire plan shows what the delegate would do, and why it cannot say without a lease', () => {
  const bed = makeBed(1)
  const list = `${bed.folder}/10.conflist`
  writeFileSync(list, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [confIn(bed)] }))
  const plan = () => runIn(bed.node, [`${import.meta.dirname}/../../dist/podwire`, 'plan', list])
  expect(plan().stdout).toMatch(/ip link add .*veth[\s\S]*10\.244\.1\.2\/24/)
  rmSync(subnetFile(bed))
  expect(plan()).toMatchObject({ status: 1, stderr: expect.stringContaining('flannel: this node has no subnet') })
})

test('an ADD is one process: bridge and host-local are called within it', () => {
  const bed = makeBed(1)
  const trace = `${bed.folder}/trace`
  const wrap = ['strace', '-f', '-qq', '-e', 'trace=execve', '-o', trace]
  const conf = { cniVersion: '1.1.0', name: 'net', ...confIn(bed) }
  const call = {
    bin: binDir(),
    node: bed.node,
    netns: bed.pods[0] ?? '',
    containerID: 'c0',
    ifName: 'eth0',
    conf,
    wrap,
  }
  expect(callPlugin({ ...call, verb: 'ADD' }).status).toBe(0)
  const started = [...readFileSync(trace, 'utf8').matchAll(/execve\("([^"]+)".*(?: = 0|<unfinished \.\.\.>)$/gm)]
  // the launcher becomes podwire
  expect(started.map(({ 1: path = '' }) => path.slice(path.lastIndexOf('/') + 1))).toEqual(['flannel', 'podwire'])
})
