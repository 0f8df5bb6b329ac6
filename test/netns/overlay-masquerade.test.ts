/** What leaves the overlay with the node's address and what does not, seen by who is asked: both backends, both families, on
 *  a real kernel. The bed is that of `overlay.bed.ts`; `wire` is the outside, and has routes to the pods by node 1, so that
 *  an answer finds its way to whichever address asked. */
import { beforeAll, describe, expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { apply, driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import { masqueradeFacts } from '../../kernel/masquerade.ts'
import type { Plan } from '../../kernel/plan.ts'
import { type MasqueradeOptions, OVERLAY_TABLE, planMasquerade } from '../../overlay/masquerade.ts'
import { forwardObstacles, masqueradeLeftovers } from '../../overlay/masquerade-leftover.ts'
import { kernelOf } from '../support/in-process.ts'
import { mustIn, shellIn } from '../support/netns.ts'
import { DUAL } from '../support/overlay.ts'
import { ask, listen } from '../support/probe.ts'
import { WIRE_IPV4, WIRE_IPV6 } from '../support/underlay.ts'
import { applyAll, applyIn, makePlanned, type PlannedBed, type PlannedNode } from './overlay.bed.ts'

const ALL: MasqueradeOptions = { backend: 'nftables', ipMasq: true, randomFully: true, forwardRules: true }
const PORT = 7000
/** A service's traffic, as kube-proxy marks it. */
const MARKED_PORT = 7001

const makeBed = (): PlannedBed => {
  const bed = makePlanned(2, DUAL, {}, 'masq')
  applyAll(bed)
  shellIn(bed.wire, `ip route add 10.244.0.0/16 via 192.0.2.1; ip -6 route add fd00:244::/48 via 2001:db8::1`)
  return bed
}

const nodesOf = ({ nodes }: PlannedBed) => nodes as [PlannedNode, PlannedNode]

/** Who the server on `port` of `to` says that asks. */
const seen = (from: string, to: string, port = PORT): string => ask({ from, to, port, patience: 5 }).split(' ')[1] ?? ''

/** As kube-proxy does: marks before routing, and gives what it marked another address of the node. */
const asKubeProxy = (netns: string): string =>
  shellIn(
    netns,
    `ip addr add 192.0.2.201/24 dev eth0; ip addr add 2001:db8::201/64 dev eth0 nodad
     nft -f - <<'END'
       table inet kube-proxy {
         chain marking { type filter hook prerouting priority mangle; tcp dport ${MARKED_PORT} meta mark set mark or 0x4000; }
         chain masquerading {
           type nat hook postrouting priority srcnat + 5;
           meta mark & 0x4000 != 0x4000 return
           meta mark set mark xor 0x4000
           snat ip to 192.0.2.201
           snat ip6 to 2001:db8::201
         }
       }
END`,
  )

describe.for(['nftables', 'iptables'] as const)('masquerade by %s', (backend) => {
  const options = { ...ALL, backend }
  let bed: PlannedBed
  beforeAll(() => {
    bed = makeBed()
    for (const { netns, overlay } of bed.nodes) expect(applyIn(netns, planMasquerade(options, overlay))).toEqual([])
    const [first, second] = nodesOf(bed)
    for (const port of [PORT, MARKED_PORT])
      for (const netns of [first.pod, second.pod, bed.wire]) listen(netns, 'server', port)
  })

  test('a pod asks a pod of another node as itself', () => {
    const [first, second] = nodesOf(bed)
    expect(seen(first.pod, second.podIPv4)).toBe(first.podIPv4)
    expect(seen(first.pod, second.podIPv6)).toBe(first.podIPv6)
  })

  test('a pod asks the outside with the address of its node', () => {
    const [first] = nodesOf(bed)
    expect(seen(first.pod, WIRE_IPV4)).toBe(first.ipv4)
    expect(seen(first.pod, WIRE_IPV6)).toBe(first.ipv6)
  })

  test('the node asks pods, its own and others, with its own address', () => {
    const [first, second] = nodesOf(bed)
    expect(seen(first.netns, first.podIPv4)).toBe('10.244.1.1')
    expect(seen(first.netns, first.podIPv6)).toBe('fd00:244:0:1::1')
    expect(seen(first.netns, second.podIPv4)).toBe('10.244.1.0')
    expect(seen(first.netns, second.podIPv6)).toBe('fd00:244:0:1::')
  })

  test('the outside asks a pod of this node as itself', () => {
    const [first] = nodesOf(bed)
    expect(seen(bed.wire, first.podIPv4)).toBe(WIRE_IPV4)
    expect(seen(bed.wire, first.podIPv6)).toBe(WIRE_IPV6)
  })

  test('the outside asks a pod of another node through this one with an address that leads back here', () => {
    const [, second] = nodesOf(bed)
    expect(seen(bed.wire, second.podIPv4)).toBe('10.244.1.0')
    expect(seen(bed.wire, second.podIPv6)).toBe('fd00:244:0:1::')
  })

  test('what kube-proxy has marked is left to kube-proxy, which translates it once', () => {
    const [first] = nodesOf(bed)
    asKubeProxy(first.netns)
    expect(seen(first.pod, WIRE_IPV4, MARKED_PORT)).toBe('192.0.2.201')
    expect(seen(first.pod, WIRE_IPV6, MARKED_PORT)).toBe('2001:db8::201')
    shellIn(first.netns, 'nft delete chain inet kube-proxy masquerading')
    expect(seen(first.pod, WIRE_IPV4, MARKED_PORT)).toBe(first.podIPv4)
    expect(seen(first.pod, WIRE_IPV4)).toBe(first.ipv4)
  })

  test('what is taken back masquerades nothing', () => {
    const [first] = nodesOf(bed)
    const plan = planMasquerade(options, first.overlay)
    kernelOf(first.netns, undefined, (kernel) => remove(plan, kernel))
    expect(seen(first.pod, WIRE_IPV4)).toBe(first.podIPv4)
    expect(seen(first.pod, WIRE_IPV6)).toBe(first.podIPv6)
    expect(mustIn(first.netns, ['nft', 'list', 'ruleset'])).not.toMatch(/FLANNEL|podwire-overlay/)
  })
})

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

test('a pod that the plugin bridge masquerades is masqueraded once', () => {
  const bed = makeBed()
  const [first] = nodesOf(bed)
  listen(bed.wire, 'server', PORT)
  const owner = { network: 'pods', containerID: 'c1', ifName: 'eth0' }
  const byBridge = masqueradeFacts('nftables', owner, [
    parseCidr(`${first.podIPv4}/24`),
    parseCidr(`${first.podIPv6}/64`),
  ])
  expect(applyIn(first.netns, [...byBridge, ...planFor(first)])).toEqual([])
  expect(seen(first.pod, WIRE_IPV4)).toBe(first.ipv4)
  expect(seen(first.pod, WIRE_IPV6)).toBe(first.ipv6)
})

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

test('a FORWARD chain that drops is named by nftables, and let through by iptables', () => {
  const bed = makeBed()
  const [first, second] = nodesOf(bed)
  listen(second.pod, 'server', PORT)
  const obstacles = (backend: MasqueradeOptions['backend']) =>
    kernelOf(first.netns, undefined, (kernel) => forwardObstacles({ backend, forwardRules: true }, kernel))
  expect(obstacles('nftables')).toEqual([])
  shellIn(first.netns, 'iptables -P FORWARD DROP; ip6tables -P FORWARD DROP')
  applyIn(first.netns, planFor(first))
  expect(obstacles('nftables')).toEqual([
    expect.stringContaining("the policy of iptables's chain FORWARD is DROP"),
    expect.stringContaining('run ip6tables -P FORWARD ACCEPT'),
  ])
  expect(ask({ from: first.pod, to: second.podIPv4, port: PORT })).toBe('')
  applyIn(first.netns, planFor(first, { backend: 'iptables' }))
  expect(obstacles('iptables')).toEqual([])
  expect(seen(first.pod, second.podIPv4)).toBe(first.podIPv4)
  expect(seen(first.pod, second.podIPv6)).toBe(first.podIPv6)
})
