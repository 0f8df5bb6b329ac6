/** What is ours and what is not: the device, neighbours, forwarding entries and routes that flanneld leaves are taken over,
 *  and go with their peers; what anybody else put there stays. */
import { expect, test } from 'vitest'
import type { Plan } from '../../kernel/plan.ts'
import { transit } from '../../kernel/reconcile.ts'
import { kernelOf } from '../support/in-process.ts'
import { shellIn } from '../support/netns.ts'
import {
  BASE,
  changesOf,
  cidr,
  directPeer,
  failuresOf,
  held,
  macOf,
  makeReconcileBed,
  peer,
  planOf,
  resyncIn,
  SCOPE,
  withPlan,
} from './reconcile.bed.ts'

/** As flanneld makes it: flannel pkg/backend/vxlan/device.go, pkg/ip/iface.go. It gives no txqueuelen. */
const FLANNEL_DEVICES = `
  ip link add flannel.1 address 0e:ff:00:00:00:04 mtu 1450 txqueuelen 0 type vxlan id 1 dev up0 local 192.0.2.1 dstport 8472 nolearning
  ip link add flannel-v6.1 address 0e:ff:00:00:00:06 mtu 1430 txqueuelen 0 type vxlan id 1 dev up0 local 2001:db8::1 dstport 8472 nolearning
  ip link set flannel.1 up; ip link set flannel-v6.1 up
  ip addr add 10.244.0.0/32 dev flannel.1; ip addr add fd00:244:0:ff::/128 dev flannel-v6.1 nodad
`

/** As flanneld makes it for each lease: vxlan_network.go handleSubnetEvents. */
const flannelPeer = (n: number): string => `
  ip neigh replace 10.244.${n}.0 lladdr ${macOf(n)} dev flannel.1 nud permanent
  bridge fdb replace ${macOf(n)} dev flannel.1 dst 198.51.100.${n} self permanent
  ip route replace 10.244.${n}.0/24 via 10.244.${n}.0 dev flannel.1 onlink
  ip neigh replace fd00:244:0:${n.toString(16)}:: lladdr ${macOf(n + 256 * 64)} dev flannel-v6.1 nud permanent
  bridge fdb replace ${macOf(n + 256 * 64)} dev flannel-v6.1 dst 2001:db8:1::${n.toString(16)} self permanent
  ip route replace fd00:244:0:${n.toString(16)}::/64 via fd00:244:0:${n.toString(16)}:: dev flannel-v6.1 onlink
`

test("flanneld's device is kept, its peers are marked, and those without a lease go", () => {
  const node = makeReconcileBed()
  const before = held(node)
  shellIn(node, FLANNEL_DEVICES + flannelPeer(1) + flannelPeer(2))
  const links = (): string => shellIn(node, 'ip -o link show type vxlan | cut -d: -f1,2')
  const indexes = links()
  const outcome = resyncIn(node, planOf(peer(2), peer(3)))
  expect(failuresOf(outcome)).toEqual([])
  expect(links()).toBe(indexes)
  expect(held(node)).toEqual(withPlan(before, planOf(peer(2), peer(3))))
  expect(resyncIn(node, planOf(peer(2), peer(3)))).toEqual({ changes: [], failures: [] })
  resyncIn(node, planOf(peer(3)))
  expect(held(node)).toEqual(withPlan(before, planOf(peer(3))))
})

test("a peer of flanneld's is taken over in place: nothing is removed", () => {
  const node = makeReconcileBed()
  shellIn(node, FLANNEL_DEVICES + flannelPeer(1))
  expect(changesOf(resyncIn(node, planOf(peer(1))))).toEqual([
    'different ip neigh replace 10.244.1.0 lladdr 0e:00:00:00:00:01 dev flannel.1 nud permanent protocol 112',
    'different ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 proto 112 onlink',
    'different ip neigh replace fd00:244:0:1:: lladdr 0e:00:00:00:40:01 dev flannel-v6.1 nud permanent protocol 112',
    'different ip route replace fd00:244:0:1::/64 via fd00:244:0:1:: dev flannel-v6.1 proto 112 onlink',
  ])
})

/** On the devices of the overlay, on the underlay, and elsewhere. */
const FOREIGN = `
  ip link add other0 type veth peer name other1; ip link set other0 up; ip link set other1 up
  ip link add flannel.7 type vxlan id 7 dev up0 local 192.0.2.1 dstport 8472; ip link set flannel.7 up
  ip addr add 203.0.113.1/24 dev other0; ip addr add 203.0.113.200/32 dev flannel.1

  ip neigh add 10.244.77.9 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent
  ip neigh add 203.0.113.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent
  ip neigh add 10.244.78.0 lladdr 02:00:00:00:00:03 dev flannel.1 nud permanent protocol 42
  ip neigh add fd00:244:0:4d::9 lladdr 02:00:00:00:00:04 dev flannel-v6.1 nud permanent
  ip neigh add 10.244.79.0 lladdr 02:00:00:00:00:05 dev other0 nud permanent protocol 112
  ip neigh add 10.244.79.0 lladdr 02:00:00:00:00:05 dev up0 nud permanent
  bridge fdb add 02:00:00:00:00:01 dev flannel.1 dst 203.0.113.7 self permanent
  bridge fdb add 02:00:00:00:00:06 dev flannel.7 dst 203.0.113.7 self permanent extern_learn
  bridge fdb add 00:00:00:00:00:00 dev flannel.1 dst 203.0.113.8 self permanent

  ip route add 10.244.80.0/24 dev flannel.1
  ip route add 10.244.81.0/24 via 10.244.77.9 dev flannel.1 onlink
  ip route add 10.244.82.0/24 via 10.244.82.0 dev flannel.1 onlink proto static
  ip route add 172.20.0.0/16 via 172.20.0.0 dev flannel.1 onlink
  ip route add 10.244.83.0/24 via 192.0.2.2 dev up0
  ip route add 172.21.0.0/16 via 192.0.2.2 dev up0 proto 112
  ip route add 10.244.84.0/24 via 203.0.113.2 dev other0 proto 112
  ip route add blackhole 172.22.0.0/16 proto 112
  ip route add blackhole 10.244.85.0/24 proto static
  ip route add fd00:244:0:50::/64 dev flannel-v6.1
  ip route add fd00:99::/64 via fd00:99:: dev flannel-v6.1 onlink
`

test('what others put on the devices, on the underlay and elsewhere stays', () => {
  const node = makeReconcileBed()
  resyncIn(node, planOf(peer(1)))
  const empty = held(node)
  shellIn(node, FOREIGN)
  const before = held(node)
  expect(before.length - empty.length).toBe(23)
  const outcome = resyncIn(node, planOf(peer(1)))
  expect(outcome).toEqual({ changes: [], failures: [] })
  expect(held(node)).toEqual(before)
  resyncIn(node, planOf(peer(2)))
  resyncIn(node, planOf(peer(1)))
  expect(held(node)).toEqual(before)
})

test('what is on the devices counts as flannel’s by its shape alone', () => {
  const node = makeReconcileBed()
  resyncIn(node, BASE)
  const before = held(node)
  shellIn(
    node,
    `ip neigh add 10.244.78.0 lladdr 02:00:00:00:00:03 dev flannel.1 nud permanent
     bridge fdb add 02:00:00:00:00:03 dev flannel.1 dst 203.0.113.7 self permanent
     ip route add 10.244.79.0/24 via 10.244.79.0 dev flannel.1 onlink
     ip neigh add 10.244.70.64 lladdr 02:00:00:00:00:07 dev flannel.1 nud permanent`,
  )
  resyncIn(node, BASE)
  expect(held(node)).toEqual([...before, 'neigh 10.244.70.64 02:00:00:00:00:07 dev flannel.1 proto -'].sort())
})

test('where subnets are smaller, the neighbours of flanneld are recognised at their base', () => {
  const node = makeReconcileBed()
  resyncIn(node, BASE)
  const before = held(node)
  shellIn(
    node,
    `ip neigh add 10.244.70.64 lladdr 02:00:00:00:00:07 dev flannel.1 nud permanent
     ip route add 10.244.70.64/26 via 10.244.70.64 dev flannel.1 onlink`,
  )
  resyncIn(node, BASE)
  expect(held(node)).toEqual(before)
})

/** Routes that are in the way of the plan's, and whether they give way. */
const CONTESTS: readonly (readonly [what: string, script: string, holder?: string])[] = [
  ["flanneld's direct route", 'ip route add 10.244.1.0/24 via 192.0.2.2 dev up0'],
  ["flanneld's direct IPv6 route", 'ip route add fd00:244:0:1::/64 via 2001:db8::2 dev up0'],
  ['a route of ours over a link out of scope', 'ip route add 10.244.1.0/24 via 203.0.113.2 dev other0 proto 112'],
  ['an IPv6 route of ours over such a link', 'ip route add fd00:244:0:1::/64 via fd00:b::2 dev other0 proto 112'],
  ['a blackhole of ours', 'ip route add blackhole 10.244.1.0/24 proto 112'],
  [
    "an operator's route",
    'ip route add 10.244.1.0/24 via 203.0.113.2 dev other0 proto static',
    '10.244.1.0/24 via 203.0.113.2 dev other0 proto static',
  ],
  [
    "an operator's route over the underlay",
    'ip route add 10.244.1.0/24 via 192.0.2.2 dev up0 proto static',
    '10.244.1.0/24 via 192.0.2.2 dev up0 proto static',
  ],
  [
    "an operator's IPv6 route",
    'ip route add fd00:244:0:1::/64 via fd00:b::2 dev other0 proto static',
    'fd00:244:0:1::/64 via fd00:b::2 dev other0 proto static metric 1024',
  ],
  [
    'a subnet that a link of the node is in',
    'ip addr add 10.244.1.1/24 dev other0',
    '10.244.1.0/24 dev other0 proto kernel',
  ],
]

test.for(CONTESTS)('a route to the same destination: %s', ([, script, holder]) => {
  const node = makeReconcileBed()
  shellIn(
    node,
    `ip link add other0 type veth peer name other1; ip link set other0 up; ip link set other1 up
     ip addr add 203.0.113.1/24 dev other0; ip addr add fd00:b::1/64 dev other0 nodad`,
  )
  const clean = held(node)
  shellIn(node, script)
  const foreign = held(node)
  const outcome = resyncIn(node, planOf(peer(1)), { ...SCOPE, carriers: [] })
  const again = resyncIn(node, planOf(peer(1)), { ...SCOPE, carriers: [] })
  if (holder === undefined) {
    expect(failuresOf(outcome)).toEqual([])
    expect(held(node)).toEqual(withPlan(clean, planOf(peer(1))))
    expect(again).toEqual({ changes: [], failures: [] })
  } else {
    const [dst = ''] = holder.split(' ')
    expect(failuresOf(outcome)).toEqual([`CniError: the way to ${dst} is held by another route: ${holder}`])
    const rest = planOf(peer(1)).filter((fact) => fact.kind !== 'route' || fact.dst !== dst)
    expect(held(node)).toEqual(withPlan(foreign, rest))
    expect(failuresOf(again)).toEqual(failuresOf(outcome))
    expect(again.changes).toEqual([])
  }
})

test("transit() leaves somebody else's route alone when a peer's changes", () => {
  const node = makeReconcileBed()
  shellIn(node, 'ip route add 10.244.11.0/24 via 192.0.2.2 dev up0 proto static')
  expect(failuresOf(resyncIn(node, planOf(peer(11))))).toHaveLength(1)
  const before = held(node)
  const outcome = kernelOf(node, undefined, (kernel) => transit(peer(11), directPeer(11), kernel))
  expect(failuresOf(outcome)).toEqual([
    'CniError: the way to 10.244.11.0/24 is held by another route: 10.244.11.0/24 via 192.0.2.2 dev up0 proto static',
  ])
  expect(held(node)).toContain('route 10.244.11.0/24 via 192.0.2.2 dev up0 proto static metric 0')
  kernelOf(node, undefined, (kernel) => transit(directPeer(11), peer(11), kernel))
  expect(held(node)).toEqual(before)
})

test.for([
  'blackhole 10.244.1.0/24 proto static',
  'unreachable 10.244.1.0/24 proto static',
  'unreachable 10.244.1.0/24 proto boot',
  'prohibit fd00:244:0:1::/64 proto static metric 1024',
  'throw 10.244.1.0/24 proto bird',
])('a route of somebody else that drops what it is for is named, and stays: %s', (holder) => {
  const node = makeReconcileBed()
  shellIn(node, `ip route add ${holder}`)
  const [, dst = ''] = holder.split(' ')
  const failure = `CniError: the way to ${dst} is held by another route: ${holder}`
  expect(failuresOf(resyncIn(node, planOf(peer(1))))).toEqual([failure])
  expect(failuresOf(resyncIn(node, planOf(peer(1))))).toEqual([failure])
  shellIn(node, `ip route del ${holder}`)
})

test('a route to the same destination with another metric stays beside ours', () => {
  const node = makeReconcileBed()
  shellIn(node, 'ip route add 10.244.1.0/24 via 192.0.2.2 dev up0 metric 50 proto static')
  const before = held(node)
  expect(failuresOf(resyncIn(node, planOf(peer(1))))).toEqual([])
  expect(held(node)).toEqual(withPlan(before, planOf(peer(1))))
})

test("a blackhole of the node's own subnet lets the bridge's route come first", () => {
  const node = makeReconcileBed()
  const plan: Plan = [...BASE, { kind: 'blackhole', ns: 'node', dst: cidr('10.244.0.0/24'), protocol: 112 }]
  expect(failuresOf(resyncIn(node, plan))).toEqual([])
  expect(() => shellIn(node, 'ip route get 10.244.0.5')).toThrow()
  shellIn(node, 'ip link add cni0 type bridge; ip link set cni0 up; ip addr add 10.244.0.1/24 dev cni0')
  expect(shellIn(node, 'ip route get 10.244.0.5')).toContain('dev cni0')
  expect(resyncIn(node, plan)).toEqual({ changes: [], failures: [] })
  resyncIn(node, BASE)
  expect(shellIn(node, 'ip route show type blackhole')).toBe('')
})

test('a vxlan of the same VNI and port under another name is named by the kernel', () => {
  const node = makeReconcileBed()
  shellIn(node, 'ip link add vxlan9 type vxlan id 1 dev up0 local 192.0.2.1 dstport 8472')
  const [failure] = failuresOf(resyncIn(node, planOf(peer(1))))
  expect(failure).toContain('ip link add flannel.1')
  expect(failure).toContain('A VXLAN device with the specified VNI already exists')
})
