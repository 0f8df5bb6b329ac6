/** What the planners plan, on real kernels: pods of different nodes reach each other, with packets of exactly the MTU that
 *  was reckoned and no larger ones. `overlay.bed.ts` draws the bed. */
import { expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { parseIp } from '../../addr/ip.ts'
import type { Json, JsonObject } from '../../cni/plugin.ts'
import { driftOf } from '../../kernel/apply.ts'
import { transit } from '../../kernel/reconcile.ts'
import { NetlinkError } from '../../netlink/error.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { run } from '../support/command.ts'
import { kernelOf } from '../support/in-process.ts'
import { inside, ipJson, shellIn } from '../support/netns.ts'
import { DUAL, IPV4, IPV6 } from '../support/overlay.ts'
import { applyAll, applyIn, makePlanned, type PlannedBed, type PlannedNode, planOf } from './overlay.bed.ts'

/** Headers of IP and ICMP. */
const HEADERS = { 4: 28, 6: 48 } as const

/** Whether the pod of `from` gets an answer from that of `to` to a packet of `size` bytes, which is not to be fragmented. */
const reaches = (from: PlannedNode, to: PlannedNode, family: 4 | 6, size: number): boolean => {
  const address = family === 4 ? to.podIPv4 : to.podIPv6
  const payload = String(size - HEADERS[family])
  return (
    run(inside(from.pod, ['ping', '-n', '-q', '-c', '1', '-W', '2', '-M', 'do', '-s', payload, address])).status === 0
  )
}

const pairs = ({ nodes }: PlannedBed): (readonly [PlannedNode, PlannedNode])[] =>
  nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => [from, to] as const))

/** Packets that a node sent by one of its links. */
const sentBy = (node: PlannedNode, dev: string): number => {
  const [link] = ipJson(node.netns, '-s', 'link', 'show', 'dev', dev)
  return (link as { stats64: { tx: { packets: number } } }).stats64.tx.packets
}

test.for<[name: string, families: JsonObject, backend: Json, mtu: number, reached: readonly (4 | 6)[]]>([
  ['vxlan', IPV4, {}, 1450, [4]],
  ['vxlan of IPv6', IPV6, {}, 1430, [6]],
  ['vxlan of both', DUAL, {}, 1430, [4, 6]],
  [
    'vxlan with every key',
    DUAL,
    { Type: 'vxlan', VNI: 4097, Port: 4789, MTU: 1400, GBP: true, Learning: true },
    1330,
    [4, 6],
  ],
  ['vxlan with DirectRouting', DUAL, { Type: 'vxlan', DirectRouting: true }, 1430, [4, 6]],
  ['host-gw of both', DUAL, { Type: 'host-gw' }, 1500, [4, 6]],
])('three nodes of %s: every pod reaches every other', ([, families, backend, mtu, reached]) => {
  const bed = makePlanned(3, families, backend, 'plan')
  expect(applyAll(bed)).toEqual([])
  for (const family of reached) {
    for (const [from, to] of pairs(bed))
      expect(reaches(from, to, family, mtu), `${from.pod} to ${to.pod}, IPv${family}`).toBe(true)
    const [from, to] = bed.nodes as [PlannedNode, PlannedNode, PlannedNode]
    expect(reaches(from, to, family, mtu + 1)).toBe(false)
  }
})

test('the MTU of a tunnel is the largest that its kernel takes for the family it sends in', () => {
  const bed = makePlanned(2, DUAL, {}, 'plan')
  applyAll(bed)
  const [first] = bed.nodes as [PlannedNode, PlannedNode]
  for (const [dev, mtu] of [
    ['flannel.1', 1450],
    ['flannel-v6.1', 1430],
  ] as const) {
    expect(ipJson(first.netns, 'link', 'show', dev)[0]).toMatchObject({ mtu })
    const larger = run(inside(first.netns, ['ip', 'link', 'set', dev, 'mtu', String(mtu + 1)]))
    expect(larger.stderr).toContain('Invalid argument')
  }
})

const FAR = { ipv4: parseIp('198.51.100.3'), ipv6: parseIp('2001:db8:1::3') }

/** Node 3 is behind a router. */
const far = (overlay: OverlayNode, n: number): OverlayNode => {
  if (n !== 3) return overlay
  const addresses = [parseCidr(`${FAR.ipv4}/24`), parseCidr(`${FAR.ipv6}/64`)]
  const { own, underlay } = overlay
  return {
    ...overlay,
    underlay: { ...underlay, ...FAR, addresses },
    publicIP: FAR.ipv4,
    publicIPv6: FAR.ipv6,
    own: { ...own, publicIP: FAR.ipv4, publicIPv6: FAR.ipv6 },
  }
}

/** `wire` routes between the nodes on it and node 3, which has addresses of other networks now. */
const moveAway = ({ wire, nodes }: PlannedBed): void => {
  shellIn(
    wire,
    `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
     ip addr add 198.51.100.254/24 dev wire; ip addr add 2001:db8:1::fe/64 dev wire nodad`,
  )
  shellIn(
    nodes[2]?.netns ?? '',
    `ip addr flush dev eth0 scope global
     ip addr add ${FAR.ipv4}/24 dev eth0; ip addr add ${FAR.ipv6}/64 dev eth0 nodad
     ip route add default via 198.51.100.254; ip -6 route replace default via 2001:db8:1::fe`,
  )
}

test('DirectRouting sends nothing through the tunnel to a node on the link, and everything to one behind a router', () => {
  const bed = makePlanned(3, DUAL, { Type: 'vxlan', DirectRouting: true }, 'plan', far)
  moveAway(bed)
  expect(applyAll(bed)).toEqual([])
  const [first, second, third] = bed.nodes as [PlannedNode, PlannedNode, PlannedNode]
  const tunnelled = () => sentBy(first, 'flannel.1') + sentBy(first, 'flannel-v6.1')
  const before = tunnelled()
  for (const family of [4, 6] as const) expect(reaches(first, second, family, 1430)).toBe(true)
  expect(tunnelled()).toBe(before)
  for (const family of [4, 6] as const) expect(reaches(first, third, family, 1430)).toBe(true)
  expect(tunnelled()).toBeGreaterThanOrEqual(before + 2)
  for (const [from, to] of pairs(bed))
    for (const family of [4, 6] as const) expect(reaches(from, to, family, 1430)).toBe(true)
})

test('by host-gw a peer behind a router fails by itself, in words, and the others are reached', () => {
  const bed = makePlanned(3, IPV4, { Type: 'host-gw' }, 'plan', far)
  moveAway(bed)
  const [first, second] = bed.nodes as [PlannedNode, PlannedNode, PlannedNode]
  applyIn(second.netns, planOf(second.overlay, [first.overlay.own]))
  const plan = planOf(
    first.overlay,
    bed.nodes.map(({ overlay }) => overlay.own),
  )
  const { failures } = kernelOf(first.netns, undefined, (kernel) => transit([], plan, kernel))
  expect(failures).toEqual([
    { fact: expect.objectContaining({ dst: '10.244.3.0/24' }), error: expect.any(NetlinkError) },
  ])
  expect(String(failures[0]?.error)).toMatch(/ip route .*10\.244\.3\.0\/24 via 198\.51\.100\.3 dev eth0/)
  expect(String(failures[0]?.error)).toContain('Nexthop has invalid gateway')
  expect(reaches(first, second, 4, 1500)).toBe(true)
})

test('a node reaches pods of other nodes with the base address of its own subnet', () => {
  const bed = makePlanned(2, DUAL, {}, 'plan')
  applyAll(bed)
  const [from, to] = bed.nodes as [PlannedNode, PlannedNode]
  for (const [address, source] of [
    [to.podIPv4, '10.244.1.0'],
    [to.podIPv6, 'fd00:244:0:1::'],
  ] as const) {
    expect(ipJson(from.netns, 'route', 'get', address)[0]).toMatchObject({ prefsrc: source })
    expect(run(inside(from.netns, ['ping', '-n', '-q', '-c', '1', '-W', '2', address])).status).toBe(0)
  }
})

test('what is disturbed of a plan is named, and mended by the same plan', () => {
  const bed = makePlanned(2, IPV4, {}, 'plan')
  applyAll(bed)
  const [first, second] = bed.nodes as [PlannedNode, PlannedNode]
  const plan = planOf(first.overlay, [second.overlay.own])
  shellIn(first.netns, 'ip neigh del 10.244.2.0 dev flannel.1; sysctl -qw net.ipv4.ip_forward=0')
  expect(kernelOf(first.netns, undefined, (kernel) => driftOf(plan, kernel))).toEqual([
    'sysctl net/ipv4/ip_forward is "0", not "1"',
    expect.stringContaining('ip neigh replace 10.244.2.0 lladdr 0e:00:00:00:00:02 dev flannel.1'),
  ])
  expect(applyIn(first.netns, plan)).toEqual([])
  expect(reaches(first, second, 4, 1450)).toBe(true)
})
