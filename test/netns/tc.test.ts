/** Facts of kinds `qdisc` and `filter` on a real kernel. In one namespace the plan is applied over netlink, in another the
 *  commands it renders to are run: `tc` must show the same of both. */
import { expect, test } from 'vitest'
import { apply, driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { tbfOf } from '../../netlink/tbf.ts'
import { kernelOf } from '../support/in-process.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, mustIn, shellIn } from '../support/netns.ts'

const tbf = (dev: string, rate: number, burst: number): Fact => ({
  kind: 'qdisc',
  ns: 'node',
  dev,
  discipline: { kind: 'tbf', ...tbfOf(rate, burst, 25) },
})
const ingress: Fact = { kind: 'qdisc', ns: 'node', dev: 'host0', discipline: { kind: 'ingress' } }
const redirect: Fact = { kind: 'filter', ns: 'node', dev: 'host0', redirect: 'ifb0' }
const SHAPED: Plan = [tbf('host0', 8_000_000, 1_000_000), ingress, redirect, tbf('ifb0', 4_000_000, 500_000)]

const PLANS: Readonly<Record<string, Plan>> = {
  'a tbf': [tbf('host0', 8_000_000, 1_000_000)],
  'a tbf faster than 2^32 bytes/s': [tbf('host0', 80_000_000_000, 1_000_000_000)],
  'a tbf of a byte a second': [tbf('host0', 8, 12_000)],
  'a tbf with the burst that kubelet asks for': [tbf('host0', 1_000_000, 2 ** 31 - 1)],
  'both directions': SHAPED,
}

/** A namespace with a veth pair, both ends in it, and an ifb. */
const bed = (): string => {
  const node = makeNetns('tc')
  shellIn(
    node,
    `ip link add host0 address 02:00:00:00:00:01 up type veth peer name eth0 address 02:00:00:00:00:02; ip link set eth0 up
     ip link add ifb0 address 02:00:00:00:00:03 up type ifb; sleep 0.1`,
  )
  return node
}

/** What tc shows, in text and as JSON, without the numbers that the kernel deals out. */
const shown = (node: string): string =>
  shellIn(
    node,
    `for d in host0 ifb0; do tc -d qdisc show dev $d; tc -j qdisc show dev $d
       tc -d filter show dev $d ingress; tc -j filter show dev $d ingress; done`,
  ).replaceAll(/\bindex \d+|"index":\d+|refcnt \d+|"refcnt":\d+/g, '')

test.for(Object.entries(PLANS))('%s: tc shows what it shows after its own commands', ([, plan]) => {
  const [ours, theirs] = [bed(), bed()]
  kernelOf(ours, undefined, (kernel) => apply(plan, kernel))
  shellIn(theirs, renderPlan(plan))
  expect(shown(ours)).toBe(shown(theirs))
  expect(shown(ours)).toContain('tbf')
})

test.for(Object.entries(PLANS))('%s: drift before apply(), none after it, none of what tc made', ([, plan]) => {
  const [ours, theirs] = [bed(), bed()]
  kernelOf(ours, undefined, (kernel) => {
    expect(driftOf(plan, kernel)).toHaveLength(plan.length)
    apply(plan, kernel)
    expect(driftOf(plan, kernel)).toEqual([])
  })
  shellIn(theirs, renderPlan(plan))
  expect(kernelOf(theirs, undefined, (kernel) => driftOf(plan, kernel))).toEqual([])
})

test.for(Object.entries(PLANS))('%s: remove() leaves nothing and may run twice', ([, plan]) => {
  const node = bed()
  const before = snapshot(node)
  kernelOf(node, undefined, (kernel) => {
    apply(plan, kernel)
    remove(plan, kernel)
    remove(plan, kernel)
  })
  expect(difference(before, snapshot(node))).toEqual([])
})

const REPLACE = 'tc qdisc replace dev ifb0 root handle 1: tbf'
const DRIFTS: readonly (readonly [what: string, script: string, found: RegExp])[] = [
  ['a missing tbf', 'tc qdisc del dev host0 root', /^the tbf queueing discipline of host0 is missing$/],
  ['another discipline', 'tc qdisc replace dev host0 root pfifo', /^the tbf queueing discipline of host0 is missing$/],
  [
    'another rate',
    `${REPLACE} rate 5mbit burst 62500 limit 75000`,
    /^the tbf of ifb0 has rate 625000 bytes, not 500000$/,
  ],
  [
    'another limit',
    `${REPLACE} rate 4mbit burst 62500 limit 70000`,
    /^the tbf of ifb0 has limit 70000 bytes, not 75000$/,
  ],
  [
    'another burst',
    `${REPLACE} rate 4mbit burst 62000 limit 75000`,
    /^the tbf of ifb0 has another burst than 62500 bytes$/,
  ],
  ['a missing filter', 'tc filter del dev host0 ingress', /^host0 does not redirect what enters it to ifb0$/],
  ['no ingress', 'tc qdisc del dev host0 ingress', /^the ingress queueing discipline of host0 is missing$/m],
  ['a deleted ifb', 'ip link del ifb0', /^interface ifb0 is missing$/m],
]

test.for(DRIFTS)('driftOf() names %s', ([, script, found]) => {
  const node = bed()
  kernelOf(node, undefined, (kernel) => apply(SHAPED, kernel))
  shellIn(node, script)
  expect(kernelOf(node, undefined, (kernel) => driftOf(SHAPED, kernel)).join('\n')).toMatch(found)
})

test('apply() refuses a link that something else shapes, names the command, and leaves it as it was', () => {
  const node = bed()
  shellIn(node, 'tc qdisc add dev ifb0 root handle 7: tbf rate 1mbit burst 10000 limit 20000')
  const before = snapshot(node)
  expect(() => kernelOf(node, undefined, (kernel) => apply(SHAPED, kernel))).toThrow(
    'the interface ifb0 has a queueing discipline already (root)',
  )
  expect(difference(before, snapshot(node))).toEqual([])
  expect(mustIn(node, ['tc', 'qdisc', 'show', 'dev', 'ifb0'])).toContain('tbf 7:')
})
