/** `podwire node ping` on one of three nodes whose overlay was made by hand: each fault that is made is named rightly. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { leaseValue } from '../../overlay/lease-value.ts'
import { makeFolder } from '../support/cleanup.ts'
import { must, type Output } from '../support/command.ts'
import { runIn, shellIn } from '../support/netns.ts'
import { ping } from '../support/probe.ts'
import { makeOverlay, type OverlayBed, type OverlayNode } from './vxlan.bed.ts'

interface Bed extends OverlayBed {
  readonly a: OverlayNode
  readonly b: OverlayNode
  readonly store: string
  /** Keys of the leases of the two peers of `a`. */
  readonly keys: readonly [string, string]
}

const KEYS = ['10.244.2.0-24', '10.244.3.0-24'] as const

/** IPv4 alone: the planner gives IPv6 a device of its own, which this bed does not have. */
const makeStore = ({ nodes }: OverlayBed): string => {
  const folder = makeFolder('ping')
  mkdirSync(`${folder}/subnets`)
  writeFileSync(`${folder}/config.json`, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}')
  for (const [i, { lease }] of nodes.entries()) {
    const { ipv6Subnet: _, publicIPv6: __, ...ipv4 } = { ...lease, key: `10.244.${i + 1}.0-24` }
    writeFileSync(`${folder}/subnets/${ipv4.key}.json`, JSON.stringify(leaseValue(ipv4)))
  }
  return folder
}

const makeBed = (): Bed => {
  const bed = makeOverlay(3, 'ping')
  const [a, b] = bed.nodes
  if (a === undefined || b === undefined) throw new Error('the bed has three nodes')
  return { ...bed, a, b, store: makeStore(bed), keys: KEYS }
}

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

const podwire = ({ a }: Bed, ...args: readonly string[]): Output => runIn(a.netns, [PODWIRE, 'node', ...args])

interface Finding {
  readonly key: string
  readonly rtt: number | null
  readonly mtu: { readonly device: number; readonly path: number | null }
  readonly fault: { readonly at: string; readonly what: string; readonly todo: string } | null
  readonly notes: readonly { readonly what: string }[]
}

const pingJson = (bed: Bed): { readonly status: number; readonly found: ReadonlyMap<string, Finding> } => {
  const { status, stdout, stderr } = podwire(bed, 'ping', '--store', bed.store, '--json')
  if (stdout === '') throw new Error(stderr)
  const { peers } = JSON.parse(stdout) as { readonly peers: readonly Finding[] }
  return { status, found: new Map(peers.map((peer) => [peer.key, peer])) }
}

test('podwire node ping: peers that are reached, with the way there and back and the MTU measured', () => {
  const bed = makeBed()
  const { status, found } = pingJson(bed)
  expect([...found.keys()].toSorted()).toEqual(KEYS)
  for (const finding of found.values())
    expect(finding).toMatchObject({
      fault: null,
      mtu: { device: 1450, path: 1450 },
      rtt: expect.any(Number),
      notes: [],
    })
  expect(status).toBe(0)
  const text = podwire(bed, 'ping', '--store', bed.store, '192.0.2.3')
  expect(text.stdout).toMatch(
    /^PEER +ADDRESS +NODE +RTT +PATH MTU +RESULT\n10\.244\.3\.0-24 +10\.244\.3\.0 +192\.0\.2\.3 +\S+ ms +1450 +ok\n/,
  )
  expect(text.stdout).not.toContain('10.244.2.0')
  expect(text).toMatchObject({ status: 0, stderr: '' })
})

interface Case {
  readonly name: string
  /** Run on node a, on its peer b, and where the wire is. */
  readonly a?: string
  readonly b?: string
  readonly wire?: string
  readonly at: string
  readonly what: RegExp
  readonly todo?: RegExp
  /** The other peer has the fault too. */
  readonly both?: true
}

const MAC_B = '0e:00:00:00:00:02'
const FIREWALL = (rule: string): string =>
  `nft add table inet fw; nft add chain inet fw c '{ type filter hook input priority 0; }'; nft add rule inet fw c ${rule}`

const CASES: readonly Case[] = [
  {
    name: 'the device is missing',
    ...{ a: 'ip link del flannel.1', at: 'link', what: /^the device flannel\.1 is missing$/, both: true },
  },
  {
    name: 'the device is down',
    ...{ a: 'ip link set flannel.1 down', at: 'link', what: /^the device flannel\.1 is down$/, both: true },
  },
  {
    name: 'the device has another VNI',
    a: `ip link del flannel.1
        ip link add flannel.1 address 0e:00:00:00:00:01 mtu 1450 type vxlan id 2 dev eth0 local 192.0.2.1 dstport 8472 nolearning
        ip link set flannel.1 up; ip addr add 10.244.1.0/32 dev flannel.1`,
    ...{ at: 'link', what: /VNI 2, not 1/, both: true },
  },
  {
    name: "the underlay's interface is down",
    a: 'ip link set eth0 down',
    ...{ at: 'link', what: /^the underlay's interface eth0 is down$/, todo: /^ip link set eth0 up$/, both: true },
  },
  {
    name: 'the route is missing',
    a: 'ip route del 10.244.2.0/24',
    ...{ at: 'route', what: /^the route to 10\.244\.2\.0\/24 over flannel\.1 is missing$/ },
  },
  {
    name: 'the route leads over another link',
    a: 'ip route replace 10.244.2.0/24 via 192.0.2.3 dev eth0',
    ...{ at: 'route', what: /^the route to 10\.244\.2\.0\/24 leads over eth0, not flannel\.1$/ },
  },
  {
    name: 'the route leads to another gateway',
    a: 'ip route replace 10.244.2.0/24 via 10.244.3.0 dev flannel.1 onlink',
    ...{ at: 'route', what: /^the route to 10\.244\.2\.0\/24 leads to 10\.244\.3\.0, not 10\.244\.2\.0$/ },
  },
  {
    name: 'a more specific route leads packets away',
    a: 'ip route add 10.244.2.0/28 via 192.0.2.254',
    ...{ at: 'route', what: /^packets to 10\.244\.2\.0 leave by eth0, not flannel\.1/, todo: /ip route get/ },
  },
  {
    name: 'the neighbour is missing',
    a: 'ip neigh del 10.244.2.0 dev flannel.1',
    ...{ at: 'neighbour', what: /^the neighbour 10\.244\.2\.0 of flannel\.1 is missing$/ },
  },
  {
    name: 'the neighbour has a wrong MAC',
    a: 'ip neigh replace 10.244.2.0 lladdr 0e:00:00:00:00:99 dev flannel.1 nud permanent',
    ...{ at: 'neighbour', what: /is at 0e:00:00:00:00:99, not 0e:00:00:00:00:02$/ },
  },
  {
    name: 'the forwarding entry is missing',
    a: `bridge fdb del ${MAC_B} dev flannel.1`,
    ...{ at: 'fdb', what: /^the forwarding entry of 0e:00:00:00:00:02 on flannel\.1 is missing$/ },
  },
  {
    name: 'the forwarding entry leads elsewhere',
    a: `bridge fdb replace ${MAC_B} dev flannel.1 dst 192.0.2.3 self permanent`,
    ...{ at: 'fdb', what: /leads to 192\.0\.2\.3, not 192\.0\.2\.2$/ },
  },
  {
    name: 'the peer is cut off',
    wire: 'ip link set port2 down',
    ...{ at: 'underlay', what: /^192\.0\.2\.2 does not answer over eth0/ },
  },
  {
    name: 'the peer drops what comes to the port',
    b: FIREWALL('udp dport 8472 drop'),
    ...{ at: 'udp-port', what: /UDP port 8472 of 192\.0\.2\.2 .*lost$/, todo: /a firewall drops UDP 8472, or/ },
  },
  {
    name: 'the peer rejects what comes to the port',
    b: FIREWALL('udp dport 8472 reject with icmpx admin-prohibited'),
    ...{ at: 'udp-port', what: /^packets to UDP port 8472 of 192\.0\.2\.2 are rejected$/ },
  },
  {
    name: 'this node drops what goes to the port',
    a: FIREWALL('counter').replace('hook input', 'hook output').replace('counter', 'udp dport 8472 drop'),
    ...{ at: 'udp-port', what: /^this node's own firewall/, both: true },
  },
  {
    name: "the peer's device is down",
    b: 'ip link set flannel.1 down',
    ...{ at: 'udp-port', what: /^nothing listens on UDP port 8472 of 192\.0\.2\.2/ },
  },
  {
    name: 'the peer has no entries of this node',
    b: 'bridge fdb del 0e:00:00:00:00:01 dev flannel.1',
    ...{ at: 'udp-port', what: /or its answer, is lost$/, todo: /the peer has no entries of this node/ },
  },
]

test.for(CASES)('podwire node ping: $name', ({ a, b, wire, at, what, todo, both }) => {
  const bed = makeBed()
  if (a !== undefined) shellIn(bed.a.netns, a)
  if (b !== undefined) shellIn(bed.b.netns, b)
  if (wire !== undefined) shellIn(bed.wire, wire)
  expect(ping(bed.a.netns, '10.244.2.0')).toBe(false)
  const { status, found } = pingJson(bed)
  const [faulty, other] = KEYS.map((key) => found.get(key))
  expect(faulty).toMatchObject({ rtt: null, fault: { at, what: expect.stringMatching(what) } })
  expect(faulty?.fault?.todo).toMatch(todo ?? /./)
  expect(other?.fault?.at ?? 'ok').toBe(both ? at : 'ok')
  expect(status).toBe(1)
})

test('podwire node ping: the wire takes shorter packets than the device sends', () => {
  const bed = makeBed()
  // a bridge passes on 4 bytes more than the MTU (VLAN_HLEN); br_netfilter would fragment what it cannot pass on whole
  shellIn(bed.wire, 'ip link set port2 mtu 1396; sysctl -qw net.bridge.bridge-nf-call-iptables=0')
  shellIn(bed.b.netns, 'ip link set eth0 mtu 1400')
  const { status, found } = pingJson(bed)
  expect(found.get(KEYS[0])).toMatchObject({
    rtt: expect.any(Number),
    mtu: { device: 1450, path: 1350 },
    fault: {
      at: 'mtu',
      what: 'packets longer than 1350 bytes are lost on the way, and flannel.1 has MTU 1450',
      todo: expect.stringContaining('set "MTU": 1400 in the "Backend"'),
    },
  })
  expect(found.get(KEYS[1])?.fault).toBeNull()
  expect(status).toBe(1)
})

test('podwire node ping: the underlay has become narrower than the device allows for, and fragments', () => {
  const bed = makeBed()
  for (const { netns } of bed.nodes) shellIn(netns, 'ip link set eth0 mtu 1400')
  const { found } = pingJson(bed)
  expect(found.get(KEYS[0])).toMatchObject({ mtu: { device: 1450, path: 1350 }, fault: { at: 'mtu' } })
  expect(found.get(KEYS[0])?.fault?.what).toContain('are fragmented')
})

test('podwire node ping: what is not as planned, but harms nobody, is said and is no failure', () => {
  const bed = makeBed()
  shellIn(bed.a.netns, 'ip link set flannel.1 mtu 1440')
  const { status, stdout } = podwire(bed, 'ping', '--store', bed.store)
  expect(stdout).toContain('10.244.2.0-24: also not as planned: interface flannel.1 has mtu 1440, not 1450\n')
  expect(status).toBe(0)
})

test('podwire node ping: the table names the fault, what to do, and whom it concerns', () => {
  const bed = makeBed()
  must(['bridge', '-n', bed.a.netns, 'fdb', 'del', MAC_B, 'dev', 'flannel.1'])
  const { status, stdout } = podwire(bed, 'ping', '--store', bed.store)
  expect(stdout).toMatch(
    /\n10\.244\.2\.0-24 +10\.244\.2\.0 +192\.0\.2\.2 +- +- +FDB: the forwarding entry of .* is missing\n/,
  )
  expect(stdout).toContain('10.244.2.0-24: start or restart podwire agent')
  expect(stdout).toContain(`1 of 2 paths to peers ok, as planned by the leases in ${bed.store}\n`)
  expect(status).toBe(1)
})

test.for<readonly [string, readonly string[], string]>([
  [
    'no agent',
    ['ping', '--run-dir', '/nonexistent'],
    'no agent runs on this node: nobody answers at /nonexistent/agent.sock',
  ],
  ['no store', ['ping', '--store', '/nonexistent'], 'there is no "/nonexistent/config.json"'],
])('podwire node ping with %s says so', ([, args, message]) => {
  const { status, stdout, stderr } = podwire(makeBed(), ...args)
  expect(stderr).toContain(message)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
})

test('podwire node ping refuses a peer that nobody knows', () => {
  const bed = makeBed()
  const { status, stderr } = podwire(bed, 'ping', '--store', bed.store, '10.9.9.0-24')
  expect(stderr).toContain('"10.9.9.0-24" is no peer')
  expect(stderr).toContain('10.244.2.0-24 10.244.2.0/24 192.0.2.2')
  expect(status).toBe(1)
})

test('podwire node status without an agent says what to do, and what the node shows', () => {
  const bed = makeBed()
  writeFileSync(
    `${bed.store}/subnet.env`,
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  )
  const args = ['status', '--run-dir', '/nonexistent', '--subnet-file', `${bed.store}/subnet.env`]
  const text = podwire(bed, ...args)
  expect(text.stderr).toContain('no agent runs on this node')
  expect(text.stderr).toContain('start it with: podwire agent')
  expect(text.stdout).toMatch(/\nflannel\.1 +vxlan +up +1450 +10\.244\.1\.0\/32 fd00:244:0:1::\/128 +\d+ +4 +2\n/)
  expect(text.stdout).toContain('subnet.env: 10.244.1.0/24, of 10.244.0.0/16, MTU 1450\n')
  expect(text.status).toBe(1)
  const json = podwire(bed, ...args, '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({ agent: null, links: [{ name: 'flannel.1', fdb: 2 }] })
  expect(json.status).toBe(1)
})
