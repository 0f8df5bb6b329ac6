/** Devices of the overlay: one that differs in what only birth can give is made anew and refilled, one with other settings
 *  is given them, one that is of the overlay and not wanted goes, and anybody else's stays. */
import { expect, test } from 'vitest'
import type { LinkFact } from '../../kernel/link.ts'
import type { Plan } from '../../kernel/plan.ts'
import { ipJson, shellIn } from '../support/netns.ts'
import {
  BASE,
  changesOf,
  cidr,
  failuresOf,
  held,
  ip,
  makeReconcileBed,
  peer,
  planOf,
  resyncIn,
  SCOPE,
  withPlan,
} from './reconcile.bed.ts'

const indexOf = (node: string): string => shellIn(node, 'ip -o link show flannel.1 | cut -d: -f1')
const ADDRESS = 'address 0e:ff:00:00:00:04 mtu 1450'
const VXLAN = 'id 1 dev up0 local 192.0.2.1 dstport 8472 nolearning'

/** Made by somebody under the name of ours. */
const DEVICES: readonly (readonly [what: string, script: string, anew: boolean])[] = [
  ['the very same device', `${ADDRESS} type vxlan ${VXLAN}`, false],
  ['another MAC', `address 02:00:00:00:00:01 mtu 1450 type vxlan ${VXLAN}`, false],
  ['another MTU', `address 0e:ff:00:00:00:04 mtu 1400 type vxlan ${VXLAN}`, false],
  ['another VNI', `${ADDRESS} type vxlan id 2 dev up0 local 192.0.2.1 dstport 8472 nolearning`, true],
  ['another port', `${ADDRESS} type vxlan id 1 dev up0 local 192.0.2.1 dstport 4789 nolearning`, true],
  ['another local address', `${ADDRESS} type vxlan id 1 dev up0 local 192.0.2.9 dstport 8472 nolearning`, true],
  ['no local address', `${ADDRESS} type vxlan id 1 dev up0 dstport 8472 nolearning`, true],
  ['another underlay', `${ADDRESS} type vxlan id 1 dev lo local 192.0.2.1 dstport 8472 nolearning`, true],
  ['no underlay', `${ADDRESS} type vxlan id 1 local 192.0.2.1 dstport 8472 nolearning`, true],
  ['learning', `${ADDRESS} type vxlan id 1 dev up0 local 192.0.2.1 dstport 8472`, true],
  ['GBP', `${ADDRESS} type vxlan ${VXLAN} gbp`, true],
  ['a default destination', `${ADDRESS} type vxlan ${VXLAN} remote 192.0.2.2`, true],
  ['a bridge', 'type bridge', true],
  ['one end of a veth pair', 'type veth peer name other0', true],
]

test.for(DEVICES)('a device of that name: %s', ([, script, anew]) => {
  const node = makeReconcileBed()
  const before = held(node)
  shellIn(node, `ip link add flannel.1 ${script}`)
  const index = indexOf(node)
  const plan = planOf(peer(1))
  expect(failuresOf(resyncIn(node, plan))).toEqual([])
  expect(indexOf(node) !== index).toBe(anew)
  expect(held(node)).toEqual(withPlan(before, plan))
  expect(resyncIn(node, plan)).toEqual({ changes: [], failures: [] })
})

test('of settings only those that differ are set: the neighbours of the device stay', () => {
  const node = makeReconcileBed()
  resyncIn(node, planOf(peer(1)))
  shellIn(node, 'ip link set flannel.1 mtu 1400')
  expect(changesOf(resyncIn(node, planOf(peer(1))))).toEqual([
    'different ip link add flannel.1 address 0e:ff:00:00:00:04 mtu 1450 type vxlan id 1 local 192.0.2.1 dev up0 dstport 8472 nolearning\nip link set flannel.1 up',
  ])
})

const withDevice = (change: Partial<LinkFact['settings']>, port: number): Plan =>
  BASE.map((fact) =>
    fact.kind === 'link' && fact.device.kind === 'vxlan'
      ? { ...fact, device: { ...fact.device, port }, settings: { ...fact.settings, ...change } }
      : fact,
  )

test('a device that the kernel gives another MTU is a failure, and is not made anew with each pass', () => {
  const node = makeReconcileBed()
  const plan = [...withDevice({ mtu: 1450 }, 8472), ...peer(1)] // over IPv6 no more than 1430 fits
  const failures = failuresOf(resyncIn(node, plan))
  const index = shellIn(node, 'ip -o link show flannel-v6.1 | cut -d: -f1')
  expect(failures).toEqual([expect.stringMatching(/flannel-v6\.1.*(mtu 1430, not 1450|EINVAL)/s)])
  expect(failuresOf(resyncIn(node, plan))).toHaveLength(1)
  expect(shellIn(node, 'ip -o link show flannel-v6.1 | cut -d: -f1')).toBe(index)
  expect(shellIn(node, 'ip -6 route show proto 112')).toContain('fd00:244:0:1::/64')
})

test('txQLen and GBP are given', () => {
  const node = makeReconcileBed()
  const plan = withDevice({ txQLen: 0 }, 4789).map((fact) =>
    fact.kind === 'link' && fact.device.kind === 'vxlan' ? { ...fact, device: { ...fact.device, gbp: true } } : fact,
  )
  expect(failuresOf(resyncIn(node, plan))).toEqual([])
  expect(shellIn(node, 'ip -d link show flannel.1')).toMatch(/dstport 4789 nolearning .* gbp/s)
  expect(shellIn(node, 'ip link show flannel.1')).not.toContain('qlen')
  expect(resyncIn(node, plan)).toEqual({ changes: [], failures: [] })
})

test('an underlay that is not there fails for its devices alone', () => {
  const node = makeReconcileBed()
  const other: Plan = [
    { kind: 'route', ns: 'node', dev: 'up0', dst: cidr('10.9.0.0/24'), via: ip('192.0.2.2'), protocol: 112 },
  ]
  const plan = withDevice({}, 8472).map((fact) =>
    fact.kind === 'link' && fact.device.kind === 'vxlan' ? { ...fact, device: { ...fact.device, dev: 'eth7' } } : fact,
  )
  const outcome = resyncIn(node, [...plan, ...peer(1), ...other])
  expect(failuresOf(outcome)).toEqual([
    'CniError: the interface eth7 is not there',
    'CniError: the interface eth7 is not there',
    'CniError: the interface flannel.1 is not there',
    'CniError: the interface flannel-v6.1 is not there',
    expect.stringMatching(/^CniError: the interface flannel\.1 is not there: .* and 2 more$/),
    expect.stringMatching(/^CniError: the interface flannel-v6\.1 is not there: .* and 2 more$/),
  ])
  expect(changesOf(outcome)).toEqual(['missing ip route add 10.9.0.0/24 via 192.0.2.2 dev up0 proto 112'])
})

test('the underlay made anew, with another index, is followed', () => {
  const node = makeReconcileBed()
  resyncIn(node, planOf(peer(1)))
  shellIn(
    node,
    `ip link del up0; ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up
     ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad`,
  )
  expect(failuresOf(resyncIn(node, planOf(peer(1))))).toEqual([])
  expect(held(node)).toEqual(expect.arrayContaining(withPlan([], planOf(peer(1)))))
})

test('a device of the scope that no plan has goes; one of another kind or name stays', () => {
  const node = makeReconcileBed()
  shellIn(
    node,
    `ip link add flannel.1 type bridge
     ip link add flannel-v6.1 type vxlan id 1 dev up0 local 2001:db8::1 dstport 8472
     ip link add flannel.2 type vxlan id 2 dev up0 local 192.0.2.1 dstport 8472`,
  )
  expect(changesOf(resyncIn(node, [], SCOPE))).toEqual(['stale ip link del flannel-v6.1'])
  const names = ipJson(node, 'link', 'show').map(({ ifname }) => ifname)
  expect(names.sort()).toEqual(['flannel.1', 'flannel.2', 'lo', 'up0'])
})
