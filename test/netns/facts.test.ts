/** Every kind of fact on a real kernel. Two equal beds: one gets the plan applied over netlink, the other the commands that
 *  the plan renders to. Both must then hold the same; no drift may be seen; and after removal all is as before. */
import { expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import { apply, driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { kernelOf } from '../support/in-process.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, shellIn } from '../support/netns.ts'

const MAC_A = '02:00:00:00:00:0a' as Mac
const MAC_B = '02:00:00:00:00:0b' as Mac
const cidr = (text: string) => text as Cidr
const ip = (text: string) => text as Ip

const pair: Fact = {
  kind: 'link',
  ns: 'node',
  name: 'host0',
  device: { kind: 'veth', peer: { ns: 'pod', name: 'eth0', settings: { mac: MAC_A }, birth: { mtu: 1400 } } },
  settings: { mac: MAC_B, alias: 'net/c1/eth0', up: true },
  birth: { mtu: 1400 },
}
const podUp: Fact = { kind: 'link-settings', ns: 'pod', name: 'eth0', settings: { up: true } }
const bridge: Fact = {
  kind: 'link',
  ns: 'node',
  name: 'br0',
  device: { kind: 'bridge' },
  settings: { up: true },
  birth: { mac: MAC_A, alias: 'podwire' },
  shared: true,
}
const podAddress: Fact = { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('10.1.0.2/24') }

/** Facts under test; `shared`: what the removal leaves on purpose. */
const PLANS: Readonly<Record<string, { readonly plan: Plan; readonly shared?: true }>> = {
  'a veth pair, born in both namespaces': { plan: [pair, podUp] },
  'an ifb': {
    plan: [
      {
        kind: 'link',
        ns: 'node',
        name: 'ifb9',
        device: { kind: 'ifb' },
        settings: { mac: MAC_A, alias: 'x', mtu: 1400, up: true },
      },
    ],
  },
  'a bridge and a port with its flags': {
    plan: [
      bridge,
      {
        kind: 'link',
        ns: 'node',
        name: 'host0',
        device: { kind: 'veth', peer: { ns: 'pod', name: 'eth0', settings: { mac: MAC_A } } },
        settings: { mac: MAC_B, master: 'br0', hairpin: true, isolated: true, alias: 'net/c1/eth0', up: true },
      },
    ],
    shared: true,
  },
  'settings of a link that exists': {
    plan: [
      pair,
      podUp,
      {
        kind: 'link-settings',
        ns: 'pod',
        name: 'eth0',
        settings: { mtu: 1300, txQLen: 500, promisc: true, allmulti: true },
      },
    ],
  },
  'addresses of both families': {
    plan: [
      pair,
      podUp,
      podAddress,
      { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('10.1.0.3/32') },
      { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('fd00:1::2/64') },
      { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('fd00:2::2/64'), noPrefixRoute: true },
    ],
  },
  'routes with every key': {
    plan: [
      pair,
      podUp,
      podAddress,
      { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('fd00:1::2/64') },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('0.0.0.0/0'), via: ip('10.1.0.1') },
      {
        kind: 'route',
        ns: 'pod',
        dev: 'eth0',
        dst: cidr('10.9.0.0/16'),
        via: ip('10.1.0.1'),
        src: ip('10.1.0.2'),
        priority: 50,
        mtu: 1200,
        advmss: 1100,
      },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('10.8.0.0/16') },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('10.7.0.0/16'), via: ip('10.1.0.1'), table: 1000 },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('192.0.2.0/24'), via: ip('198.51.100.1'), onlink: true },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('::/0'), via: ip('fd00:1::1') },
      { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('fd00:9::/48'), via: ip('fd00:1::1'), priority: 7, mtu: 1290 },
    ],
  },
  neighbours: {
    plan: [
      pair,
      podUp,
      podAddress,
      { kind: 'neigh', table: 'neigh', ns: 'pod', dev: 'eth0', ip: ip('10.1.0.7'), lladdr: MAC_B },
      { kind: 'neigh', table: 'neigh', ns: 'pod', dev: 'eth0', ip: ip('fd00:1::7'), lladdr: MAC_B },
    ],
  },
  'a vxlan, and all that leads to another node': {
    plan: [
      pair,
      podUp,
      {
        kind: 'link',
        ns: 'node',
        name: 'flannel.1',
        device: {
          kind: 'vxlan',
          vni: 77,
          port: 4789,
          local: ip('192.0.2.1'),
          dev: 'host0',
          learning: false,
          gbp: true,
        },
        settings: { mac: MAC_A, mtu: 1350, txQLen: 100, up: true },
      },
      { kind: 'addr', ns: 'node', dev: 'flannel.1', address: cidr('10.244.1.0/32') },
      {
        kind: 'neigh',
        table: 'neigh',
        ns: 'node',
        dev: 'flannel.1',
        ip: ip('10.244.2.0'),
        lladdr: MAC_B,
        protocol: 112,
      },
      {
        kind: 'neigh',
        table: 'fdb',
        ns: 'node',
        dev: 'flannel.1',
        ip: ip('192.0.2.2'),
        lladdr: MAC_B,
        protocol: 112,
      },
      {
        kind: 'route',
        ns: 'node',
        dev: 'flannel.1',
        dst: cidr('10.244.2.0/24'),
        via: ip('10.244.2.0'),
        onlink: true,
        protocol: 112,
      },
    ],
  },
  'a vxlan over IPv6, learning': {
    plan: [
      pair,
      podUp,
      {
        kind: 'link',
        ns: 'node',
        name: 'flannel-v6.1',
        device: {
          kind: 'vxlan',
          vni: 1,
          port: 8472,
          local: ip('2001:db8::1'),
          dev: 'host0',
          learning: true,
          gbp: false,
        },
        settings: { mac: MAC_A, up: true },
      },
      {
        kind: 'neigh',
        table: 'fdb',
        ns: 'node',
        dev: 'flannel-v6.1',
        ip: ip('2001:db8::2'),
        lladdr: MAC_B,
        protocol: 112,
      },
      {
        kind: 'route',
        ns: 'node',
        dev: 'flannel-v6.1',
        dst: cidr('fd00:244:0:2::/64'),
        via: ip('fd00:244:0:2::'),
        onlink: true,
        protocol: 112,
      },
    ],
  },
  'blackholes of both families': {
    plan: [
      { kind: 'blackhole', ns: 'node', dst: cidr('10.244.1.0/24'), protocol: 112 },
      { kind: 'blackhole', ns: 'node', dst: cidr('fd00:244:0:1::/64'), protocol: 112 },
    ],
  },
  'kernel parameters': {
    plan: [
      { kind: 'sysctl', ns: 'node', path: 'net/ipv4/ip_forward', value: '1' },
      { kind: 'sysctl', ns: 'pod', path: 'net/ipv4/conf/lo/arp_notify', value: '1' },
    ],
    shared: true,
  },
}

const bed = (): { node: string; pod: string } => ({ node: makeNetns('fact-node'), pod: makeNetns('fact-pod') })
const both = ({ node, pod }: { node: string; pod: string }) => [
  ...snapshot(node).map((line) => `node ${line}`),
  ...snapshot(pod).map((line) => `pod ${line}`),
]
/** Names of namespaces in what `ip` prints differ between the beds. */
const anonymous = (lines: readonly string[]): string[] =>
  lines.map((line) =>
    line
      .replace(/link-netns \S+|link-netnsid \d+/, 'link-netns X')
      .replaceAll(/@if\d+/g, '@ifN')
      .replace(/ state \w+ mode/, ' mode'),
  )

const commandsOf = (plan: Plan, pod: string): { node: string; pod: string } => {
  const lines = (ns: 'node' | 'pod') =>
    plan
      .filter((fact) => 'ns' in fact && fact.ns === ns)
      .map((fact) => renderPlan([fact]).replaceAll('netns pod', `netns ${pod}`))
  return { node: lines('node').join('\n'), pod: lines('pod').join('\n') }
}

test.for(Object.entries(PLANS))('%s: apply() does what the rendered commands do', ([, { plan }]) => {
  const ours = bed()
  const theirs = bed()
  kernelOf(ours.node, ours.pod, (kernel) => apply(plan, kernel))
  const commands = commandsOf(plan, theirs.pod)
  shellIn(theirs.node, commands.node)
  shellIn(theirs.pod, commands.pod)
  expect(anonymous(both(ours))).toEqual(anonymous(both(theirs)))
})

test.for(Object.entries(PLANS))('%s: no drift after apply(), all of it before', ([, { plan }]) => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => {
    expect(driftOf(plan, kernel)).toHaveLength(plan.length)
    apply(plan, kernel)
    expect(driftOf(plan, kernel)).toEqual([])
  })
})

test.for(Object.entries(PLANS).filter(([, { shared }]) => !shared))(
  '%s: remove() leaves nothing and may run twice',
  ([, { plan }]) => {
    const beds = bed()
    const before = both(beds)
    kernelOf(beds.node, beds.pod, (kernel) => {
      apply(plan, kernel)
      remove(plan, kernel)
      remove(plan, kernel)
    })
    expect(difference(before, both(beds))).toEqual([])
  },
)

test('apply() undoes what it made when a later fact fails, and says which command that was', () => {
  const beds = bed()
  const before = both(beds)
  const impossible: Fact = { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('10.9.0.0/16'), via: ip('203.0.113.1') }
  expect(() => kernelOf(beds.node, beds.pod, (kernel) => apply([pair, podUp, podAddress, impossible], kernel))).toThrow(
    'ip route prepend 10.9.0.0/16 via 203.0.113.1 dev eth0',
  )
  expect(difference(before, both(beds))).toEqual([])
})

test('apply() of an own link that exists refuses and leaves the other one alone', () => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => {
    apply([pair, podUp, podAddress], kernel)
    expect(() => apply([pair], kernel)).toThrow('the interface eth0 or host0 exists already')
    expect(driftOf([pair, podUp, podAddress], kernel)).toEqual([])
  })
})

const DRIFTS: readonly (readonly [what: string, script: string, found: string])[] = [
  ['a deleted link', 'ip link del eth0', 'interface host0 is missing'],
  ['a link that is down', 'ip link set eth0 down', 'has up false, not true'],
  ['another address', `ip link set eth0 address ${MAC_B}`, `has mac ${MAC_B}, not ${MAC_A}`],
  ['a missing address', 'ip addr del 10.1.0.2/24 dev eth0', 'address 10.1.0.2/24 is missing on eth0'],
  [
    'an address of another length',
    'ip addr del 10.1.0.2/24 dev eth0; ip addr add 10.1.0.2/25 dev eth0',
    'address 10.1.0.2/24 is missing',
  ],
]

test.for(DRIFTS)('driftOf() names %s', ([, script, found]) => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => apply([pair, podUp, podAddress], kernel))
  shellIn(pod, script)
  expect(kernelOf(node, pod, (kernel) => driftOf([pair, podUp, podAddress], kernel)).join('\n')).toContain(found)
})
