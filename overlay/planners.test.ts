import { expect, test } from 'vitest'
import { parseIp } from '../addr/ip.ts'
import { macBytes } from '../addr/mac.ts'
import type { Json, JsonObject } from '../cni/plugin.ts'
import { renderPlan } from '../kernel/apply.ts'
import { identityOf } from '../kernel/identity.ts'
import { confOf, DUAL, IPV4, IPV6, keyOf, leaseOf, nodeOf, siteOf } from '../test/support/overlay.ts'
import type { Lease } from './lease.ts'
import type { OverlayNode, Site } from './planner.ts'
import { plannerOf } from './planners.ts'

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
const node1 = (families: JsonObject, backend: Json): OverlayNode => nodeOf(1, confOf(families, backend))
const baseOf = (node: OverlayNode): string[] => lines(renderPlan(plannerOf(node.conf.backend).base(node)))
const peerOf = (node: OverlayNode, peer: Lease): string[] =>
  lines(renderPlan(plannerOf(node.conf.backend).peer(node, peer)))
/** The lease of node 2, with `changes`. */
const peer2 = (node: OverlayNode, changes: Partial<Lease> = {}): Lease => ({
  ...leaseOf(2, siteOf(2, node.conf)),
  ...changes,
})

const FORWARD4 = 'sysctl -w net/ipv4/ip_forward=1'
const FORWARD6 = 'sysctl -w net/ipv6/conf/all/forwarding=1'
const DIRECT4 = 'ip route add 10.244.2.0/24 via 192.0.2.2 dev eth0 proto 112'
const DIRECT6 = 'ip route add fd00:244:0:2::/64 via 2001:db8::2 dev eth0 proto 112'
const VXLAN4 = [
  'ip neigh replace 10.244.2.0 lladdr 0e:00:00:00:00:02 dev flannel.1 nud permanent protocol 112',
  'bridge fdb replace 0e:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self permanent extern_learn',
  'ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto 112 onlink',
]
const VXLAN6 = [
  'ip neigh replace fd00:244:0:2:: lladdr 0e:00:00:00:00:02 dev flannel-v6.1 nud permanent protocol 112',
  'bridge fdb replace 0e:00:00:00:00:02 dev flannel-v6.1 dst 2001:db8::2 self permanent extern_learn',
  'ip route add fd00:244:0:2::/64 via fd00:244:0:2:: dev flannel-v6.1 proto 112 onlink',
]
const VXLAN_BASE4 = [
  'ip link add flannel.1 address 0e:00:00:00:00:01 mtu 1450 type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning',
  'ip link set flannel.1 up',
  'sysctl -w net/ipv6/conf/flannel.1/accept_ra=0',
  'ip addr add 10.244.1.0/32 dev flannel.1',
]
const VXLAN_BASE6 = [
  'ip link add flannel-v6.1 address 0e:00:00:00:00:01 mtu 1430 type vxlan id 1 local 2001:db8::1 dev eth0 dstport 8472 nolearning',
  'ip link set flannel-v6.1 up',
  'sysctl -w net/ipv6/conf/flannel-v6.1/accept_ra=0',
  'ip addr add fd00:244:0:1::/128 dev flannel-v6.1 nodad',
]
const WIREGUARD4 = `wg set flannel-wg peer ${keyOf(2)} endpoint 192.0.2.2:51820`
const WIREGUARD6 = `wg set flannel-wg-v6 peer ${keyOf(2)} endpoint [2001:db8::2]:51821`
const wgBase = (dev: string, port: number) => [
  `ip link add ${dev} mtu 1420 type wireguard`,
  `ip link set ${dev} up`,
  `wg set ${dev} private-key (hidden) listen-port ${port}`,
]

test.for<[name: string, families: JsonObject, backend: Json, base: string[], peer: string[]]>([
  ['vxlan', IPV4, {}, [FORWARD4, ...VXLAN_BASE4], VXLAN4],
  ['vxlan of IPv6', IPV6, {}, [FORWARD6, ...VXLAN_BASE6], VXLAN6],
  ['vxlan of both', DUAL, {}, [FORWARD4, FORWARD6, ...VXLAN_BASE4, ...VXLAN_BASE6], [...VXLAN4, ...VXLAN6]],
  [
    'vxlan with every key',
    IPV4,
    { Type: 'vxlan', VNI: 7, Port: 4789, MTU: 1400, GBP: true, Learning: true, DirectRouting: true },
    [
      FORWARD4,
      'ip link add flannel.7 address 0e:00:00:00:00:01 mtu 1350 type vxlan id 7 local 192.0.2.1 dev eth0 dstport 4789 gbp',
      'ip link set flannel.7 up',
      'sysctl -w net/ipv6/conf/flannel.7/accept_ra=0',
      'ip addr add 10.244.1.0/32 dev flannel.7',
    ],
    [DIRECT4],
  ],
  ['host-gw of both', DUAL, { Type: 'host-gw' }, [FORWARD4, FORWARD6], [DIRECT4, DIRECT6]],
  [
    'ipip',
    IPV4,
    { Type: 'ipip' },
    [
      FORWARD4,
      'ip link add flannel.ipip mtu 1480 type ipip local 192.0.2.1',
      'ip link set flannel.ipip up',
      'ip addr add 10.244.1.0/32 dev flannel.ipip',
    ],
    ['ip route add 10.244.2.0/24 via 192.0.2.2 dev flannel.ipip proto 112 onlink'],
  ],
  [
    'wireguard of both',
    DUAL,
    { Type: 'wireguard', PersistentKeepaliveInterval: 25, PSK: keyOf(200) },
    [
      FORWARD4,
      FORWARD6,
      ...wgBase('flannel-wg', 51820),
      ...wgBase('flannel-wg-v6', 51821),
      'ip addr add 10.244.1.0/32 dev flannel-wg',
      'ip route add 10.244.0.0/16 dev flannel-wg proto 112',
      'ip addr add fd00:244:0:1::/128 dev flannel-wg-v6 nodad',
      'ip route add fd00:244::/48 dev flannel-wg-v6 proto 112',
    ],
    [
      `${WIREGUARD4.replace(' endpoint', ' preshared-key (hidden) endpoint')} persistent-keepalive 25 allowed-ips 10.244.2.0/24`,
      `${WIREGUARD6.replace(' endpoint', ' preshared-key (hidden) endpoint')} persistent-keepalive 25 allowed-ips fd00:244:0:2::/64`,
    ],
  ],
  [
    'wireguard with one device for both',
    DUAL,
    { Type: 'wireguard', Mode: 'ipv6' },
    [
      FORWARD4,
      FORWARD6,
      ...wgBase('flannel-wg', 51820),
      'ip addr add 10.244.1.0/32 dev flannel-wg',
      'ip route add 10.244.0.0/16 dev flannel-wg proto 112',
      'ip addr add fd00:244:0:1::/128 dev flannel-wg nodad',
      'ip route add fd00:244::/48 dev flannel-wg proto 112',
    ],
    [`wg set flannel-wg peer ${keyOf(2)} endpoint [2001:db8::2]:51820 allowed-ips 10.244.2.0/24,fd00:244:0:2::/64`],
  ],
])('plans of %s', ([, families, backend, base, peer]) => {
  const node = node1(families, backend)
  expect(baseOf(node)).toEqual(base)
  expect(peerOf(node, peer2(node))).toEqual(peer)
})

const FAR4 = { publicIP: parseIp('198.51.100.2') }
const FAR6 = { publicIPv6: parseIp('2001:db8:1::2') }

test.for<[name: string, backend: Json, changes: Partial<Lease>, peer: string[]]>([
  [
    'a tunnel where the peer is behind a gateway, family by family',
    { DirectRouting: true },
    FAR6,
    [DIRECT4, ...VXLAN6.map((line) => line.replace('2001:db8::2', '2001:db8:1::2'))],
  ],
  [
    'a tunnel to a peer on the link, too, unless it is told otherwise',
    {},
    FAR4,
    [...VXLAN4.map((line) => line.replace('192.0.2.2', '198.51.100.2')), ...VXLAN6],
  ],
])('peer() of vxlan plans %s', ([, backend, changes, peer]) => {
  const node = node1(DUAL, backend)
  expect(peerOf(node, peer2(node, changes))).toEqual(peer)
})

test('peer() of ipip plans a route over the underlay where DirectRouting applies', () => {
  const node = node1(IPV4, { Type: 'ipip', DirectRouting: true })
  expect(peerOf(node, peer2(node))).toEqual([DIRECT4])
  expect(peerOf(node, peer2(node, FAR4))).toEqual([
    'ip route add 10.244.2.0/24 via 198.51.100.2 dev flannel.ipip proto 112 onlink',
  ])
})

/** flannel pkg/backend/wireguard `selectMode`. */
test.for<[own: Partial<Site>, peer: Partial<Lease>, endpoint: string]>([
  [{}, {}, '192.0.2.2'],
  [{}, { publicIP: parseIp('10.0.0.2') }, '[2001:db8::2]'],
  [{ publicIPv6: parseIp('fd01::1') }, { publicIP: parseIp('10.0.0.2') }, '10.0.0.2'],
  [{}, { publicIP: parseIp('10.0.0.2'), publicIPv6: parseIp('fd01::2') }, '10.0.0.2'],
])('peer() of wireguard in mode auto, %j and %j, is reached by %s', ([own, peer, endpoint]) => {
  const node = { ...node1(DUAL, { Type: 'wireguard', Mode: 'auto' }), ...own }
  expect(peerOf(node, peer2(node, peer))).toEqual([
    `wg set flannel-wg peer ${keyOf(2)} endpoint ${endpoint}:51820 allowed-ips 10.244.2.0/24,fd00:244:0:2::/64`,
  ])
})

test('peer() of wireguard goes to the port that the peer publishes', () => {
  const node = node1(IPV4, { Type: 'wireguard' })
  const peer = peer2(node, { data: { publicKey: keyOf(2), port: 7 } })
  expect(peerOf(node, peer)).toEqual([`${WIREGUARD4.replace('51820', '7')} allowed-ips 10.244.2.0/24`])
})

test('peer() of wireguard does not go where flanneld says that IPv6 is, and nobody listens', () => {
  const node = node1(DUAL, { Type: 'wireguard', Mode: 'ipv6' })
  const flanneld = { data: { publicKey: keyOf(2), port: 51820 }, v6Data: { publicKey: keyOf(2), port: 51821 } }
  expect(peerOf(node, peer2(node, flanneld))[0]).toContain('endpoint [2001:db8::2]:51820 ')
})

test.for<[backend: Json, missing: (keyof Lease)[]]>([
  [{}, ['subnet', 'ipv6Subnet']],
  [{}, ['publicIP', 'publicIPv6']],
  [{ Type: 'host-gw' }, ['publicIP', 'publicIPv6']],
  [{ Type: 'wireguard' }, ['publicIP', 'publicIPv6']],
  [{ Type: 'wireguard', Mode: 'auto' }, ['publicIP', 'publicIPv6']],
  [{ Type: 'wireguard', Mode: 'ipv4' }, ['publicIP']],
])('peer() of %j plans nothing for a lease without %j', ([backend, missing]) => {
  const node = node1(DUAL, backend)
  const peer = Object.fromEntries(Object.entries(peer2(node)).filter(([key]) => !missing.includes(key as keyof Lease)))
  expect(peerOf(node, peer as unknown as Lease)).toEqual([])
})

test('peer() of vxlan plans one family for a lease that has one', () => {
  const node = node1(DUAL, {})
  expect(peerOf(node, leaseOf(2, siteOf(2, confOf(IPV4, {}))))).toEqual(VXLAN4)
})

test.for<[families: JsonObject, backend: Json, mtu: number]>([
  [IPV4, {}, 1450],
  [IPV6, {}, 1430],
  [DUAL, {}, 1430],
  [IPV4, { MTU: 1400 }, 1350],
  [IPV4, { MTU: 9000 }, 1450],
  [DUAL, { Type: 'host-gw' }, 1500],
  [DUAL, { Type: 'wireguard' }, 1420],
  [DUAL, { Type: 'wireguard', MTU: 1400 }, 1320],
  [IPV4, { Type: 'ipip' }, 1480],
])('mtu() of %j with %j is %i', ([families, backend, mtu]) => {
  const site = siteOf(1, confOf(families, backend))
  expect(plannerOf(site.conf.backend).mtu(site)).toBe(mtu)
})

const published = (site: Site) => plannerOf(site.conf.backend).publish(site)

test('publish() of vxlan keeps a MAC that is given, and else derives one that is unicast and local', () => {
  const { vtepMac: _, vtepMacV6: __, ...site } = siteOf(1, confOf(DUAL, {}))
  const { data, v6Data } = published(site)
  for (const { vtepMac } of [data, v6Data]) expect((macBytes(vtepMac ?? expect.fail('no MAC'))[0] ?? 0) & 3).toBe(2)
  expect(published(site)).toEqual({ data, v6Data })
  expect(published(siteOf(1, site.conf)).data).toEqual({ vni: 1, vtepMac: '0e:00:00:00:00:01' })
})

test('publish() of vxlan derives another MAC for every address, VNI and family', () => {
  const sites = [{}, { VNI: 2 }].flatMap((backend) =>
    [1, 2].map((n): Site => {
      const { vtepMac: _, vtepMacV6: __, ...site } = siteOf(n, confOf(DUAL, backend))
      return site
    }),
  )
  const macs = sites.map(published).flatMap(({ data, v6Data }) => [data.vtepMac, v6Data.vtepMac])
  expect(new Set(macs).size).toBe(8)
})

test.for<[families: JsonObject, backend: Json, expected: Json]>([
  [IPV6, {}, { data: {}, v6Data: { vni: 1, vtepMac: '0e:00:00:00:00:01' } }],
  [IPV4, { Type: 'host-gw' }, { data: {}, v6Data: {} }],
  [IPV4, { Type: 'ipip' }, { data: {}, v6Data: {} }],
  [
    DUAL,
    { Type: 'wireguard' },
    { data: { publicKey: keyOf(1), port: 51820 }, v6Data: { publicKey: keyOf(1), port: 51821 } },
  ],
  [
    DUAL,
    { Type: 'wireguard', Mode: 'auto' },
    { data: { publicKey: keyOf(1), port: 51820 }, v6Data: { publicKey: keyOf(1), port: 51820 } },
  ],
])('publish() of %j with %j', ([families, backend, expected]) => {
  expect(published(siteOf(1, confOf(families, backend)))).toEqual(expected)
})

test.for<[families: JsonObject, backend: Json, devices: string[]]>([
  [IPV4, { VNI: 7 }, ['flannel.7', 'flannel-v6.7']],
  [IPV4, { Type: 'host-gw' }, []],
  [IPV4, { Type: 'ipip' }, ['flannel.ipip']],
  [IPV4, { Type: 'wireguard' }, ['flannel-wg', 'flannel-wg-v6']],
])('scope() of %j with %j', ([families, backend, devices]) => {
  const node = node1(families, backend)
  expect(plannerOf(node.conf.backend).scope(node)).toEqual({ devices, carriers: ['eth0'], networks: ['10.244.0.0/16'] })
})

test.for<[backend: Json]>([[{}], [{ DirectRouting: true }], [{ Type: 'host-gw' }], [{ Type: 'wireguard' }]])(
  'no two facts of the plans of %j are of one identity',
  ([backend]) => {
    const node = node1(DUAL, backend)
    const planner = plannerOf(node.conf.backend)
    const peers = [2, 3, 4].map((n) => leaseOf(n, siteOf(n, node.conf)))
    const facts = [...planner.base(node), ...peers.flatMap((peer) => planner.peer(node, peer))]
    expect(new Set(facts.map(identityOf)).size).toBe(facts.length)
  },
)
