/** The masquerade as facts: what others change is seen and mended, what flanneld left is right or is named, one plan takes
 *  another's place. Traffic: `overlay-masquerade.test.ts`. */
import { expect, test } from 'vitest'
import { apply, driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import type { Plan } from '../../kernel/plan.ts'
import { resync, transit } from '../../kernel/reconcile.ts'
import { type MasqueradeOptions, OVERLAY_TABLE, planMasquerade } from '../../overlay/masquerade.ts'
import { masqueradeLeftovers } from '../../overlay/masquerade-leftover.ts'
import { kernelOf } from '../support/in-process.ts'
import { mustIn, shellIn } from '../support/netns.ts'
import { DUAL } from '../support/overlay.ts'
import { applyIn, makePlanned, type PlannedNode } from './overlay.bed.ts'

const ALL: MasqueradeOptions = { backend: 'nftables', ipMasq: true, randomFully: true, forwardRules: true }
const drift = (netns: string, plan: Plan): string[] => kernelOf(netns, undefined, (kernel) => driftOf(plan, kernel))
const planFor = ({ overlay }: PlannedNode, options: Partial<MasqueradeOptions> = {}): Plan =>
  planMasquerade({ ...ALL, ...options }, overlay)
const rulesIn = (netns: string, ...list: readonly string[]): string => mustIn(netns, ['nft', '-a', 'list', ...list])
const single = (): PlannedNode => makePlanned(1, DUAL, {}, 'masq').nodes[0] as PlannedNode

/** What flanneld runs, rule by rule: flannel pkg/trafficmngr/iptables `masqRules`, `forwardRules`. */
const flanneld = (command: string, network: string, own: string, multicast: string): string => {
  const masq = '-m comment --comment "flanneld masq"'
  const forward = '-m comment --comment "flanneld forward"'
  return `${command} -t nat -N FLANNEL-POSTRTG
    ${command} -t nat -A POSTROUTING ${masq} -j FLANNEL-POSTRTG
    ${command} -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN
    ${command} -t nat -A FLANNEL-POSTRTG -s ${own} -d ${network} ${masq} -j RETURN
    ${command} -t nat -A FLANNEL-POSTRTG -s ${network} -d ${own} ${masq} -j RETURN
    ${command} -t nat -A FLANNEL-POSTRTG ! -s ${network} -d ${own} ${masq} -j RETURN
    ${command} -t nat -A FLANNEL-POSTRTG -s ${network} ! -d ${multicast} ${masq} -j MASQUERADE --random-fully
    ${command} -t nat -A FLANNEL-POSTRTG ! -s ${network} -d ${network} ${masq} -j MASQUERADE --random-fully
    ${command} -t filter -N FLANNEL-FWD
    ${command} -t filter -A FORWARD ${forward} -j FLANNEL-FWD
    ${command} -t filter -A FLANNEL-FWD -s ${network} ${forward} -j ACCEPT
    ${command} -t filter -A FLANNEL-FWD -d ${network} ${forward} -j ACCEPT
  `
}
const asFlanneld = (netns: string): string =>
  shellIn(
    netns,
    flanneld('iptables', '10.244.0.0/16', '10.244.1.0/24', '224.0.0.0/4') +
      flanneld('ip6tables', 'fd00:244::/48', 'fd00:244:0:1::/64', 'ff00::/8'),
  )

test('by iptables the rules of flanneld are what was planned, and none is touched', () => {
  const node = single()
  asFlanneld(node.netns)
  const before = rulesIn(node.netns, 'ruleset')
  expect(applyIn(node.netns, planFor(node, { backend: 'iptables' }))).toEqual([])
  expect(rulesIn(node.netns, 'ruleset')).toBe(before)
})

test('by iptables what others put into the chains, or took out, is drift and mended', () => {
  const node = single()
  const plan = planFor(node, { backend: 'iptables' })
  applyIn(node.netns, plan)
  for (const disturbance of [
    'iptables -t nat -I FLANNEL-POSTRTG -j ACCEPT',
    'iptables -t nat -D FLANNEL-POSTRTG 2',
    'iptables -t nat -F POSTROUTING',
    'ip6tables -t filter -F FLANNEL-FWD',
    'iptables -t filter -F; iptables -t filter -X',
  ]) {
    shellIn(node.netns, disturbance)
    expect(drift(node.netns, plan), disturbance).toHaveLength(1)
    expect(applyIn(node.netns, plan), disturbance).toEqual([])
  }
  expect(mustIn(node.netns, ['iptables', '-t', 'nat', '-S', 'POSTROUTING']).match(/FLANNEL-POSTRTG/g)).toHaveLength(1)
})

test('by nftables what others put into the table, or took out, is drift and mended', () => {
  const node = single()
  const plan = planFor(node)
  applyIn(node.netns, plan)
  const asPlanned = mustIn(node.netns, ['nft', 'list', 'ruleset'])
  for (const disturbance of [
    'nft insert rule inet podwire-overlay postrouting accept',
    'nft flush chain inet podwire-overlay postrouting',
    'nft flush table inet podwire-overlay',
    'nft delete table inet podwire-overlay',
    'nft add table inet podwire-overlay "{ flags dormant; }"',
    'nft add chain inet podwire-overlay extra "{ type filter hook forward priority 0; policy drop; }"',
    'nft add set inet podwire-overlay extra "{ type ipv4_addr; }"',
  ]) {
    shellIn(node.netns, disturbance)
    expect(drift(node.netns, plan), disturbance).toHaveLength(1)
    expect(applyIn(node.netns, plan), disturbance).toEqual([])
    expect(mustIn(node.netns, ['nft', 'list', 'ruleset'])).toBe(asPlanned)
  }
})

test('by nftables a plan that holds is left as it is, and another one takes its place whole', () => {
  const node = single()
  applyIn(node.netns, planFor(node))
  const before = rulesIn(node.netns, 'ruleset')
  applyIn(node.netns, planFor(node))
  expect(rulesIn(node.netns, 'ruleset')).toBe(before)
  const other = { ...node, overlay: makePlanned(2, DUAL, {}, 'other').nodes[1]?.overlay ?? node.overlay }
  expect(drift(node.netns, planFor(other))).toEqual(['nft table inet podwire-overlay has other rules'])
  expect(applyIn(node.netns, planFor(other, { randomFully: false }))).toEqual([])
  const after = rulesIn(node.netns, 'ruleset')
  expect(after).toContain('10.244.2.0/24')
  expect(after).not.toMatch(/10\.244\.1\.0|fully-random/)
})

test.for(['nftables', 'iptables'] as const)('a transit to the plan of another lease replaces that by %s', (backend) => {
  const node = single()
  const [, second] = makePlanned(2, DUAL, {}, 'other').nodes as [PlannedNode, PlannedNode]
  const [before, after] = [planFor(node, { backend }), planFor(second, { backend })]
  applyIn(node.netns, before)
  const { failures } = kernelOf(node.netns, undefined, (kernel) => transit(before, after, kernel))
  expect(failures).toEqual([])
  expect(drift(node.netns, after)).toEqual([])
  expect(mustIn(node.netns, ['nft', 'list', 'ruleset'])).not.toContain('10.244.1.0')
})

test.for(['nftables', 'iptables'] as const)(
  'the commands that the plan by %s prints do what the plan does',
  (backend) => {
    const [applied, typed] = [single(), single()]
    const plan = planFor(applied, { backend })
    applyIn(applied.netns, plan)
    shellIn(typed.netns, renderPlan(plan))
    const list = ({ netns }: PlannedNode) => mustIn(netns, ['nft', 'list', 'ruleset']).split('\n').toSorted()
    expect(list(typed)).toEqual(list(applied))
    expect(drift(typed.netns, plan)).toEqual([])
  },
)

test('OVERLAY_TABLE removes whatever the table holds, and nothing when it is gone', () => {
  const node = single()
  kernelOf(node.netns, undefined, (kernel) => {
    apply(planFor(node), kernel)
    remove([OVERLAY_TABLE], kernel)
    remove([OVERLAY_TABLE], kernel)
  })
  expect(mustIn(node.netns, ['nft', 'list', 'ruleset'])).toBe('')
})

test('masqueradeLeftovers() names what flanneld left, and what to do', () => {
  const node = single()
  const leftovers = (backend: MasqueradeOptions['backend']) =>
    kernelOf(node.netns, undefined, (kernel) => masqueradeLeftovers({ backend }, kernel))
  expect(leftovers('nftables')).toEqual([])
  asFlanneld(node.netns)
  shellIn(node.netns, 'nft add table ip flannel-ipv4')
  const found = leftovers('nftables')
  expect(found).toHaveLength(5)
  expect(leftovers('iptables')).toEqual([found[2]])
  shellIn(node.netns, found.map((line) => line.replace(/.*remove it with /, '')).join('\n'))
  expect(leftovers('nftables')).toEqual([])
})

test("masqueradeLeftovers() finds flanneld's chains in the legacy tables, too", () => {
  const node = single()
  shellIn(node.netns, 'iptables-legacy -t nat -N FLANNEL-POSTRTG')
  const found = kernelOf(node.netns, undefined, (kernel) => masqueradeLeftovers({ backend: 'nftables' }, kernel))
  expect(found).toEqual([expect.stringContaining("flanneld's chain FLANNEL-POSTRTG in its table nat")])
})

test.for([
  ['nftables', 'nft flush chain inet podwire-overlay postrouting'],
  ['iptables', 'iptables -t nat -F FLANNEL-POSTRTG'],
] as const)(
  'a full pass of the reconciler mends what was flushed of %s, and changes nothing the next time',
  ([backend, flush]) => {
    const node = single()
    const plan = planFor(node, { backend })
    const pass = () =>
      kernelOf(node.netns, undefined, (kernel) => resync(plan, { devices: [], carriers: [], networks: [] }, kernel))
    applyIn(node.netns, plan)
    shellIn(node.netns, flush)
    const { changes, failures } = pass()
    expect([changes.length, failures]).toEqual([1, []])
    expect(drift(node.netns, plan)).toEqual([])
    expect(pass()).toMatchObject({ changes: [], failures: [] })
  },
)
