/** `resync()` and `transit()` on a real kernel, both families: from nothing, from what the last run left, from what others
 *  did meanwhile. What the kernel holds is read by `ip` and `bridge`. */
import { expect, test } from 'vitest'
import type { Plan } from '../../kernel/plan.ts'
import { resync, transit } from '../../kernel/reconcile.ts'
import { kernelOf } from '../support/in-process.ts'
import { makeNetns, shellIn } from '../support/netns.ts'
import {
  BASE,
  changesOf,
  cidr,
  directPeer,
  failuresOf,
  held,
  ip,
  macOf,
  makeReconcileBed,
  peer,
  planOf,
  resyncIn,
  SCOPE,
  withPlan,
} from './reconcile.bed.ts'

test('resync() makes everything from nothing, and then has nothing to do', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const plan = planOf(peer(1), peer(2), directPeer(3))
  const first = resyncIn(node, plan)
  expect(failuresOf(first)).toEqual([])
  expect(first.changes.every(({ why }) => why === 'missing')).toBe(true)
  expect(first.changes).toHaveLength(plan.length)
  expect(held(node)).toEqual(withPlan(before, plan))
  expect(resyncIn(node, plan)).toEqual({ changes: [], failures: [] })
})

test('resync() says each change as the command that makes it', () => {
  const node = makeReconcileBed()
  expect(changesOf(resyncIn(node, planOf(peer(1)))).slice(0, 7)).toEqual([
    'missing ip link add flannel.1 address 0e:ff:00:00:00:04 mtu 1450 type vxlan id 1 local 192.0.2.1 dev up0 dstport 8472 nolearning\nip link set flannel.1 up',
    'missing ip link add flannel-v6.1 address 0e:ff:00:00:00:06 mtu 1430 type vxlan id 1 local 2001:db8::1 dev up0 dstport 8472 nolearning\nip link set flannel-v6.1 up',
    'missing ip addr add 10.244.0.0/32 dev flannel.1',
    'missing ip addr add fd00:244:0:ff::/128 dev flannel-v6.1 nodad',
    'missing ip neigh replace 10.244.1.0 lladdr 0e:00:00:00:00:01 dev flannel.1 nud permanent protocol 112',
    'missing bridge fdb replace 0e:00:00:00:00:01 dev flannel.1 dst 198.51.100.1 self permanent extern_learn',
    'missing ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 proto 112 onlink',
  ])
})

test('resync() refills a device that was deleted, in the same pass', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const plan = planOf(peer(1), peer(2))
  resyncIn(node, plan)
  shellIn(node, 'ip link del flannel.1; ip link del flannel-v6.1')
  expect(failuresOf(resyncIn(node, plan))).toEqual([])
  expect(held(node)).toEqual(withPlan(before, plan))
})

/** What somebody does to the overlay, and how many entries of the plan that costs. */
const DAMAGE: readonly (readonly [what: string, script: string, changes: number])[] = [
  ['a link that is down', 'ip link set flannel.1 down', 3],
  ['another MTU', 'ip link set flannel.1 mtu 1400', 1],
  // with its last address a link loses its IPv4 routes and neighbours
  ['a missing address', 'ip addr del 10.244.0.0/32 dev flannel.1', 3],
  ['a missing IPv6 address', 'ip addr del fd00:244:0:ff::/128 dev flannel-v6.1', 1],
  ['a missing route', 'ip route del 10.244.1.0/24', 1],
  ['a missing IPv6 route', 'ip route del fd00:244:0:1::/64', 1],
  ['a route by another gateway', 'ip route replace 10.244.1.0/24 via 192.0.2.2', 1],
  ['an IPv6 route by another link', 'ip route replace fd00:244:0:1::/64 via 2001:db8::2', 1],
  ['a route with an MTU', 'ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink proto 112 mtu 1300', 1],
  ['a second next hop', 'ip route append fd00:244:0:1::/64 via fd00:244:0:9:: dev flannel-v6.1 onlink proto 112', 1],
  ['a missing neighbour', 'ip neigh del 10.244.1.0 dev flannel.1', 1],
  [
    'a neighbour that may be forgotten',
    'ip neigh replace fd00:244:0:1:: lladdr 0e:00:00:00:40:01 dev flannel-v6.1 nud stale',
    1,
  ],
  ['a neighbour at another MAC', 'ip neigh replace 10.244.1.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent', 1],
  ['a missing forwarding entry', `bridge fdb del ${macOf(1)} dev flannel.1 dst 198.51.100.1`, 1],
  [
    'a forwarding entry to another node',
    `bridge fdb replace ${macOf(1)} dev flannel.1 dst 198.51.100.77 self permanent`,
    1,
  ],
  [
    'a forwarding entry with a port',
    `bridge fdb replace ${macOf(1)} dev flannel.1 dst 198.51.100.1 port 99 self permanent`,
    1,
  ],
  ['a flushed table', 'ip neigh flush all nud permanent; ip route flush proto 112; ip -6 route flush proto 112', 4],
]

test.for(DAMAGE)('resync() mends %s and nothing else', ([, script, changes]) => {
  const node = makeReconcileBed()
  const before = held(node)
  const plan = planOf(peer(1))
  resyncIn(node, plan)
  shellIn(node, script)
  const outcome = resyncIn(node, plan)
  expect(failuresOf(outcome)).toEqual([])
  expect(held(node)).toEqual(withPlan(before, plan))
  expect(changesOf(outcome)).toHaveLength(changes)
  expect(resyncIn(node, plan)).toEqual({ changes: [], failures: [] })
})

test('resync() removes peers and an address of a former run, and says so', () => {
  const node = makeReconcileBed()
  const before = held(node)
  resyncIn(node, [
    ...planOf(peer(1), peer(2), directPeer(3)),
    { kind: 'addr', ns: 'node', dev: 'flannel.1', address: cidr('10.244.9.0/32') },
  ])
  const plan = planOf(peer(2))
  expect(changesOf(resyncIn(node, plan)).sort()).toEqual([
    'stale bridge fdb del 0e:00:00:00:00:01 dev flannel.1 dst 198.51.100.1 self permanent extern_learn',
    'stale bridge fdb del 0e:00:00:00:40:01 dev flannel-v6.1 dst 2001:db8:1::1 self permanent extern_learn',
    'stale ip addr del 10.244.9.0/32 dev flannel.1',
    'stale ip neigh del 10.244.1.0 lladdr 0e:00:00:00:00:01 dev flannel.1 nud permanent protocol 112',
    'stale ip neigh del fd00:244:0:1:: lladdr 0e:00:00:00:40:01 dev flannel-v6.1 nud permanent protocol 112',
    'stale ip route del 10.244.1.0/24 via 10.244.1.0 dev flannel.1 proto 112 onlink',
    'stale ip route del 10.244.3.0/24 via 192.0.2.3 dev up0 proto 112',
    'stale ip route del fd00:244:0:1::/64 via fd00:244:0:1:: dev flannel-v6.1 proto 112 onlink',
    'stale ip route del fd00:244:0:3::/64 via 2001:db8::3 dev up0 proto 112',
  ])
  expect(held(node)).toEqual(withPlan(before, plan))
})

test('resync() of an empty plan removes the devices of its scope and what they carried', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const blackhole: Plan = [{ kind: 'blackhole', ns: 'node', dst: cidr('10.244.0.0/24'), protocol: 112 }]
  expect(failuresOf(resyncIn(node, planOf(peer(1), directPeer(2), blackhole)))).toEqual([])
  expect(held(node)).toEqual(withPlan(before, planOf(peer(1), directPeer(2), blackhole)))
  resyncIn(node, [])
  expect(held(node)).toEqual(before)
})

test('facts of a pod are kept, too, and its interfaces are not taken for those of the node', () => {
  const node = makeReconcileBed()
  const pod = makeNetns('reconcile-pod')
  const plan: Plan = [
    ...planOf(peer(1)),
    {
      kind: 'link',
      ns: 'node',
      name: 'veth1',
      device: { kind: 'veth', peer: { ns: 'pod', name: 'up0', settings: {} } },
      settings: { up: true },
      replace: true,
    },
    { kind: 'link-settings', ns: 'pod', name: 'up0', settings: { up: true } },
    { kind: 'addr', ns: 'pod', dev: 'up0', address: cidr('10.244.0.9/24') },
    { kind: 'route', ns: 'pod', dev: 'up0', dst: cidr('0.0.0.0/0'), via: ip('10.244.0.1') },
  ]
  const pass = () => kernelOf(node, pod, (kernel) => resync(plan, SCOPE, kernel))
  expect(failuresOf(pass())).toEqual([])
  expect(pass()).toEqual({ changes: [], failures: [] })
  shellIn(pod, 'ip route del default')
  expect(changesOf(pass())).toEqual(['missing ip route prepend 0.0.0.0/0 via 10.244.0.1 dev up0'])
})

test('transit() makes and removes no more than what differs', () => {
  const node = makeReconcileBed()
  const before = held(node)
  resyncIn(node, planOf(peer(1), peer(2)))
  const outcome = kernelOf(node, undefined, (kernel) =>
    transit([...peer(1), ...peer(2)], [...peer(2), ...peer(3)], kernel),
  )
  expect(failuresOf(outcome)).toEqual([])
  expect(outcome.changes.map(({ why }) => why)).toEqual([...Array(6).fill('gone'), ...Array(6).fill('new')])
  expect(held(node)).toEqual(withPlan(before, planOf(peer(2), peer(3))))
})

/** Everything about a peer can change while its subnet stays. */
const CHANGES: Readonly<Record<string, readonly [before: Plan, after: Plan]>> = {
  'a new MAC and endpoint': [peer(11), peer(11, 1)],
  'from the overlay to the underlay': [peer(11), directPeer(11)],
  'from the underlay to the overlay': [directPeer(11), peer(11)],
  'a subnet that moves to another node': [
    [...peer(11), ...peer(2)],
    [...peer(11, 3), ...peer(2)],
  ],
}

test.for(Object.entries(CHANGES))('transit() and resync() agree on %s', ([, [from, to]]) => {
  const beds = [makeReconcileBed(), makeReconcileBed()] as const
  const before = held(beds[0])
  for (const node of beds) expect(failuresOf(resyncIn(node, planOf(from)))).toEqual([])
  expect(failuresOf(kernelOf(beds[0], undefined, (kernel) => transit(from, to, kernel)))).toEqual([])
  expect(failuresOf(resyncIn(beds[1], planOf(to)))).toEqual([])
  expect(held(beds[0])).toEqual(withPlan(before, planOf(to)))
  expect(held(beds[1])).toEqual(withPlan(before, planOf(to)))
})

test('transit() to another address of the device loses nothing that is on it', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const moved = BASE.map((fact) =>
    fact.kind === 'addr' && fact.dev === 'flannel.1' ? { ...fact, address: cidr('10.244.99.0/32') } : fact,
  )
  resyncIn(node, planOf(peer(1)))
  const outcome = kernelOf(node, undefined, (kernel) => transit(BASE, moved, kernel))
  expect(changesOf(outcome)).toEqual([
    'new ip addr add 10.244.99.0/32 dev flannel.1',
    'gone ip addr del 10.244.0.0/32 dev flannel.1',
  ])
  expect(held(node)).toEqual(withPlan(before, [...moved, ...peer(1)]))
})

test('transit() that makes a device anew refills it', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const plan = planOf(peer(1))
  resyncIn(node, plan)
  const moved = plan.map((fact) =>
    fact.kind === 'link' && fact.device.kind === 'vxlan' && fact.name === 'flannel.1'
      ? { ...fact, device: { ...fact.device, port: 4789 } }
      : fact,
  )
  expect(failuresOf(kernelOf(node, undefined, (kernel) => transit(plan, moved, kernel)))).toEqual([])
  expect(held(node)).toEqual(withPlan(before, moved))
})

test('transit() does not stop at what is refused, and what is gone already is no failure', () => {
  const node = makeReconcileBed()
  const before = held(node)
  resyncIn(node, planOf(peer(1)))
  shellIn(node, 'ip route del 10.244.1.0/24; ip neigh del 10.244.1.0 dev flannel.1')
  const impossible: Plan = [{ kind: 'route', ns: 'node', dev: 'up0', dst: cidr('10.9.0.0/16'), via: ip('203.0.113.1') }]
  const outcome = kernelOf(node, undefined, (kernel) => transit(peer(1), [...impossible, ...peer(2)], kernel))
  expect(failuresOf(outcome)).toEqual([expect.stringContaining('ip route add 10.9.0.0/16 via 203.0.113.1 dev up0')])
  expect(outcome.failures[0]?.fact).toBe(impossible[0])
  expect(outcome.changes).toHaveLength(10)
  expect(held(node)).toEqual(withPlan(before, planOf(peer(2))))
})

test('facts over a link that is not there are one failure', () => {
  const node = makeReconcileBed()
  const outcome = kernelOf(node, undefined, (kernel) => transit([], [...peer(1), ...peer(2)], kernel))
  expect(failuresOf(outcome)).toEqual([
    expect.stringMatching(/the interface flannel\.1 is not there: ip neigh replace .* and 5 more/),
    expect.stringMatching(/the interface flannel-v6\.1 is not there: ip neigh replace .* and 5 more/),
  ])
  expect(outcome.changes).toEqual([])
})

test('a plan is kept by one kernel view while devices come and go', () => {
  const node = makeReconcileBed()
  const before = held(node)
  const plan = planOf(peer(1))
  kernelOf(node, undefined, (kernel) => {
    resync(plan, SCOPE, kernel)
    shellIn(node, 'ip link del flannel.1; ip link add flannel.1 type bridge')
    expect(failuresOf(resync(plan, SCOPE, kernel))).toEqual([])
    shellIn(node, 'ip link del flannel.1')
    expect(failuresOf(transit([], BASE, kernel))).toEqual([])
    expect(failuresOf(transit([], peer(1), kernel))).toEqual([])
  })
  expect(held(node)).toEqual(withPlan(before, plan))
})
