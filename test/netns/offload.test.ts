/** Checksum offload on a real kernel: the fact, and the probe between two nodes whose wire does or does not spoil checksums.
 *
 *      [ node 1: eth0 ]---[ port1  wire  port2 ]---[ eth0 :node 2 ]      a bridge, or a process that copies bytes */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import type { OffloadFact } from '../../kernel/offload.ts'
import { offloadOperations } from '../../kernel/offload.ts'
import { onCleanup } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { kernelOf } from '../support/in-process.ts'
import { inside, ipJson, makeNetns, mustIn, pathOf, shellIn } from '../support/netns.ts'
import { ask, listen, ping, waitFor } from '../support/probe.ts'
import { makeOverlay, type OverlayBed } from './vxlan.bed.ts'

const BED = `
  ip link set lo up; ip link add br0 type bridge; ip link set br0 up; ip addr add 192.0.2.1/24 dev br0
  ip link add vx0 type vxlan id 7 dev br0 local 192.0.2.1 dstport 8472`
const fact = (ns: 'node' | 'pod', on: boolean, dev = 'vx0'): OffloadFact => ({
  ...{ kind: 'offload', ns, dev, on },
  feature: 'tx-checksum-ip-generic',
})
const ethtool = (netns: string): string =>
  /tx-checksum-ip-generic: (\w+)/.exec(mustIn(netns, ['ethtool', '-k', 'vx0']))?.[1] ?? ''

test.for(['node', 'pod'] as const)('an offload fact of the %s holds as ethtool sees it, back and forth', (ns) => {
  const name = makeNetns('offload')
  shellIn(name, BED)
  const [node, pod] = ns === 'node' ? [name, undefined] : [makeNetns('offload-node'), name]
  kernelOf(node, pod, (kernel) => {
    expect(ethtool(name)).toBe('on')
    expect(driftOf([fact(ns, false)], kernel)).toEqual(['tx-checksum-ip-generic of vx0 is on'])
    expect(offloadOperations.ensure(fact(ns, false), kernel)).toBe(false)
    expect([ethtool(name), driftOf([fact(ns, false)], kernel)]).toEqual(['off', []])
    offloadOperations.ensure(fact(ns, false), kernel)
    expect(driftOf([fact(ns, true)], kernel)).toEqual(['tx-checksum-ip-generic of vx0 is off'])
    offloadOperations.ensure(fact(ns, true), kernel)
    expect(ethtool(name)).toBe('on')
    remove([fact(ns, true)], kernel)
  })
})

test('an offload fact is what ethtool would be told, and says what is not there', () => {
  const name = makeNetns('offload')
  expect(renderPlan([fact('node', false)])).toBe('ethtool -K vx0 tx-checksum-ip-generic off')
  kernelOf(name, undefined, (kernel) => {
    expect(driftOf([fact('node', false)], kernel)).toEqual(['interface vx0 is missing'])
    expect(() => offloadOperations.ensure(fact('node', false), kernel)).toThrow('ENODEV')
    expect(() => offloadOperations.ensure(fact('node', false, 'lo'), kernel)).toThrow(
      'ethtool -K lo tx-checksum-ip-generic off: EOPNOTSUPP',
    )
  })
})

const indexIn = (netns: string, name: string): string => String(ipJson(netns, 'link', 'show', name)[0]?.['ifindex'])

/** Replaces the bridge between two nodes by a process that copies bytes. */
const spoilChecksums = ({ wire, nodes }: OverlayBed): void => {
  shellIn(wire, 'ip link del wire; sysctl -qw net.ipv6.conf.all.disable_ipv6=1')
  const indexes = nodes.map(({ port }) => indexIn(wire, port))
  const [file = '', ...args] = inside(wire, [
    ...[process.execPath, '--import', 'tsx', `${import.meta.dirname}/wire.worker.ts`],
    ...indexes,
  ])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => ping(nodes[0]?.netns ?? '', '10.244.2.0'))) throw new Error('the wire does not carry')
}

const examine = (netns: string, ...peers: readonly string[]): { verdict: string; facts: unknown } =>
  JSON.parse(
    mustIn(netns, [
      process.execPath,
      '--import',
      'tsx',
      `${import.meta.dirname}/offload.worker.ts`,
      'flannel.1',
      ...peers,
    ]),
  )

const feature = (netns: string): string =>
  /tx-checksum-ip-generic: (\w+)/.exec(mustIn(netns, ['ethtool', '-k', 'flannel.1']))?.[1] ?? ''

test('a wire that spoils checksums left to the hardware: the device computes them from then on, and UDP gets through', () => {
  const bed = makeOverlay(2, 'offload')
  const [a, b] = [bed.nodes[0]?.netns ?? '', bed.nodes[1]?.netns ?? '']
  spoilChecksums(bed)
  const stop = listen(b, 'b', 8080)
  const question = { from: a, to: '10.244.2.0', port: 8080, protocol: 'udp' } as const
  must(['nsenter', `--net=${pathOf(b)}`, 'ethtool', '-K', 'flannel.1', 'tx-checksum-ip-generic', 'off'])
  expect(ask(question)).toBe('')
  expect(examine(a, '10.244.2.0')).toMatchObject({ verdict: 'broken', facts: [fact('node', false, 'flannel.1')] })
  expect(feature(a)).toBe('off')
  expect(ask(question)).toBe('b 10.244.1.0')
  stop()
})

test.for(['10.244.2.0', 'fd00:244:0:2::'])('a sound wire, asked over %s: offload stays on', (peer) => {
  const [a] = makeOverlay(2, 'offload').nodes
  expect(examine(a?.netns ?? '', peer)).toMatchObject({ verdict: 'sound', facts: [] })
  expect(feature(a?.netns ?? '')).toBe('on')
})

const DROP_UDP = `nft add table inet fw; nft add chain inet fw in '{ type filter hook input priority 0; }'
  nft add rule inet fw in iifname flannel.1 meta l4proto udp drop`

test('peers with a firewall that drops UDP: nothing is concluded, and offload is on again', () => {
  const [a, b] = makeOverlay(2, 'offload').nodes
  shellIn(b?.netns ?? '', DROP_UDP)
  expect(examine(a?.netns ?? '', '10.244.2.0')).toMatchObject({
    verdict: 'unknown',
    why: 'peers answer echo requests over the overlay, but do not refuse UDP in either case',
    facts: [],
  })
  expect(feature(a?.netns ?? '')).toBe('on')
})

test('an agent that ends in the midst of a trial leaves offload on', () => {
  const [a, b] = makeOverlay(2, 'offload').nodes
  shellIn(b?.netns ?? '', DROP_UDP)
  const worker = `${import.meta.dirname}/offload-close.worker.ts`
  const run = [process.execPath, '--import', 'tsx', worker, 'flannel.1', '10.244.2.0']
  expect(JSON.parse(mustIn(a?.netns ?? '', run))).toEqual({ wasOff: true, isOn: true })
  expect(feature(a?.netns ?? '')).toBe('on')
})

test('peers that do not answer at all: nothing is concluded', () => {
  const bed = makeOverlay(2, 'offload')
  must(['ip', '-n', bed.wire, 'link', 'set', 'wire', 'down'])
  expect(examine(bed.nodes[0]?.netns ?? '', '10.244.2.0')).toMatchObject({ verdict: 'unreached', facts: [] })
})

test('offload that is off already is left so, and stays so: no packet is risked', () => {
  const [a] = makeOverlay(2, 'offload').nodes
  const netns = a?.netns ?? ''
  mustIn(netns, ['ethtool', '-K', 'flannel.1', 'tx-checksum-ip-generic', 'off'])
  expect(examine(netns, '10.244.2.0')).toMatchObject({
    ...{ verdict: 'broken', why: 'it was off already' },
    facts: [fact('node', false, 'flannel.1')],
  })
  expect(feature(netns)).toBe('off')
})
