/** Plans with every kind of fact that links, addresses and routes are made of, for `facts.test.ts`. */
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'

export const MAC_A = '02:00:00:00:00:0a' as Mac
export const MAC_B = '02:00:00:00:00:0b' as Mac
export const cidr = (text: string) => text as Cidr
export const ip = (text: string) => text as Ip

export const pair: Fact = {
  kind: 'link',
  ns: 'node',
  name: 'host0',
  device: { kind: 'veth', peer: { ns: 'pod', name: 'eth0', settings: { mac: MAC_A }, birth: { mtu: 1400 } } },
  settings: { mac: MAC_B, alias: 'net/c1/eth0', up: true },
  birth: { mtu: 1400 },
}
export const podUp: Fact = { kind: 'link-settings', ns: 'pod', name: 'eth0', settings: { up: true } }
const bridge: Fact = {
  kind: 'link',
  ns: 'node',
  name: 'br0',
  device: { kind: 'bridge' },
  settings: { up: true },
  birth: { mac: MAC_A, alias: 'podwire' },
  shared: true,
}
export const podAddress: Fact = { kind: 'addr', ns: 'pod', dev: 'eth0', address: cidr('10.1.0.2/24') }

/** Facts under test; `shared`: what the removal leaves on purpose. */
export const PLANS: Readonly<Record<string, { readonly plan: Plan; readonly shared?: true }>> = {
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
