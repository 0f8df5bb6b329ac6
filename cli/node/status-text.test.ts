import { expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { AgentStatus, PeerStatus } from '../../agent/status.ts'
import { renderMs, renderRemains, renderSpan, renderStatus } from './status-text.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString()

const peer = (n: number, more: Partial<PeerStatus> = {}): PeerStatus => ({
  key: `10.244.${n}.0-24`,
  subnet: `10.244.${n}.0/24` as Cidr,
  publicIP: `192.0.2.${n}` as Ip,
  backendType: 'vxlan',
  ...more,
})

const STATUS: AgentStatus = {
  ...{ version: '0.1.0', pid: 123, started: before(7300), isReady: true, missing: [] },
  store: { kind: 'file', where: '/var/lib/podwire/overlay', isWatching: true, lastEvent: before(5) },
  netConf: {
    backend: { kind: 'vxlan', vni: 1, port: 8472, gbp: false, learning: false, directRouting: true },
    ipv4: {
      network: '10.244.0.0/16' as Cidr,
      subnetLen: 24,
      subnetMin: '10.244.1.0' as Ip,
      subnetMax: '10.244.255.0' as Ip,
    },
  },
  underlay: { name: 'eth0', mtu: 1500, ipv4: '192.0.2.1' as Ip, addresses: [] },
  devices: ['flannel.1'],
  lease: {
    key: '10.244.1.0-24',
    subnet: '10.244.1.0/24' as Cidr,
    publicIP: '203.0.113.1' as Ip,
    expires: new Date(NOW + 3_700_000).toISOString(),
    mtu: 1450,
  },
  peers: [
    peer(10, { probe: { at: before(3), isReachable: true, rtt: 0.213, lastReachable: before(3) } }),
    peer(9),
    peer(2, { probe: { at: before(4), isReachable: false, lastReachable: before(200) } }),
    peer(3, { probe: { at: before(4), isReachable: false } }),
  ],
  rejected: [{ key: '10.99.0.0-24', why: 'its subnet is elsewhere' }],
  failures: [],
  passes: { last: { at: before(60), kind: 'transit', ms: 4.256, changes: 1 }, lastResync: before(600), mended: 2 },
  rssMiB: 60.5,
  drift: [
    { at: before(90), what: 'ip route add 10.244.2.0/24', why: 'missing', ms: 12.4 },
    { at: before(30), what: 'ip link add flannel.1\nip link set flannel.1 up', why: 'different', ms: 6.4 },
  ],
}

test('renderStatus() says what the agent has and knows, peers that do not answer first', () => {
  expect(renderStatus(STATUS, NOW)).toBe(`agent      ready (pid 123, podwire 0.1.0, up 2 h)
store      file /var/lib/podwire/overlay, watched, last event 5 s ago
network    10.244.0.0/16, vxlan (VNI 1, UDP port 8472), DirectRouting
lease      10.244.1.0/24, expires in 1 h, MTU 1450
devices    flannel.1
underlay   eth0 192.0.2.1, MTU 1500, reached by 203.0.113.1
kernel     last transit 1 min ago (4.26 ms, 1 change), compared in full 10 min ago, 2 facts mended, 60.5 MiB of memory

PEER            SUBNET          PUBLIC IP   REACHABLE  RTT      LAST SEEN
10.244.2.0-24   10.244.2.0/24   192.0.2.2   NO         -        3 min ago
10.244.3.0-24   10.244.3.0/24   192.0.2.3   NO         -        never
10.244.9.0-24   10.244.9.0/24   192.0.2.9   ?          -        -
10.244.10.0-24  10.244.10.0/24  192.0.2.10  yes        0.21 ms  3 s ago
4 peers: 1 reachable, 2 not, 1 not probed yet

REJECTED LEASE  WHY
10.99.0.0-24    its subnet is elsewhere

DRIFT      WAS        MENDED IN  FACT
30 s ago   different  6.40 ms    ip link add flannel.1; ip link set flannel.1 up
1 min ago  missing    12 ms      ip route add 10.244.2.0/24
`)
})

test('renderStatus() of an agent that has nothing yet says what it waits for', () => {
  const { netConf: _, underlay: __, lease: ___, ...rest } = STATUS
  const text = renderStatus(
    {
      ...rest,
      ...{ isReady: false, missing: ['no network configuration has been read'], peers: [], rejected: [], drift: [] },
      store: {
        ...{ kind: 'etcd', where: 'http://192.0.2.9:2379', isWatching: false, error: 'connection refused' },
        retryAt: new Date(NOW + 4000).toISOString(),
      },
      underlayTrouble: 'there is no default IPv4 route: name the interface with --iface',
      netConfRefused: 'VNI is 0',
      failures: [{ what: 'ip link add flannel.1', error: 'EPERM' }],
      devices: [],
    },
    NOW,
  )
  expect(text).toContain('agent      not ready: no network configuration has been read (pid 123')
  expect(text).toContain('not watched, connection refused (tried again in 4 s)\n')
  expect(text).toContain('lease      none: no network configuration has been read\n')
  expect(text).toContain('underlay   there is no default IPv4 route')
  expect(text).toContain('refused    a newer network configuration: VNI is 0\n')
  expect(text).toContain('1 refused')
  expect(text).toContain('REFUSED BY THE KERNEL  WHY\nip link add flannel.1  EPERM\n')
  expect(text).toContain('no peers\n')
  expect(text).not.toContain('network  ')
})

test('renderStatus() shows the last ten of many findings', () => {
  const drift = Array.from({ length: 12 }, (_, i) => ({
    ...{ at: before(100 - i), what: `fact-${i}.`, why: 'stale' as const, ms: 1 },
  }))
  const text = renderStatus({ ...STATUS, drift }, NOW)
  expect([...text.matchAll(/fact-(\d+)\./g)].map(([, i]) => Number(i))).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
  expect(text).toContain('and 2 more (--json has them)\n')
})

test('renderStatus() says when a lease has expired, and when it never does', () => {
  const { expires: _, ...forever } = STATUS.lease ?? { key: '', mtu: 0 }
  expect(renderStatus({ ...STATUS, lease: { ...forever, expires: before(5) } }, NOW)).toContain('has expired')
  expect(renderStatus({ ...STATUS, lease: forever }, NOW)).toContain('never expires')
})

test.for([
  [0, '0 s'],
  [-5, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [7_199_000, '1 h'],
  [200_000_000, '2 d'],
] as const)('renderSpan(%d) is %s', ([ms, text]) => {
  expect(renderSpan(ms)).toBe(text)
})

test.for([
  [0, '0.01 ms'],
  [0.126, '0.13 ms'],
  [12.6, '13 ms'],
] as const)('renderMs(%d) is %s', ([ms, text]) => {
  expect(renderMs(ms)).toBe(text)
})

test('renderRemains() says when there is nothing', () => {
  expect(renderRemains({ links: [], subnetFile: { path: '/run/flannel/subnet.env', why: 'ENOENT' } })).toBe(
    'This node has no device of an overlay.\n/run/flannel/subnet.env: ENOENT\n',
  )
})
