/** What leaves the overlay with the node's address and what does not, seen by who is asked: both backends, both families, on
 *  a real kernel. The bed is that of `overlay.bed.ts`; `wire` is the outside, and has routes to the pods by node 1, so that
 *  an answer finds its way to whichever address asked. */
import { beforeAll, describe, expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { remove } from '../../kernel/apply.ts'
import { masqueradeFacts } from '../../kernel/masquerade.ts'
import type { Plan } from '../../kernel/plan.ts'
import { type MasqueradeOptions, planMasquerade } from '../../overlay/masquerade.ts'
import { forwardObstacles } from '../../overlay/masquerade-leftover.ts'
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

const planFor = ({ overlay }: PlannedNode, options: Partial<MasqueradeOptions> = {}): Plan =>
  planMasquerade({ ...ALL, ...options }, overlay)

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
