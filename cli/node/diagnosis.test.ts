/** Conclusions that no bed of namespaces brings about (test/netns/node-ping.test.ts has the others). */
import { expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { Link } from '../../netlink/link.ts'
import type { WireguardPeer } from '../../netlink/wireguard-dump.ts'
import { diagnose, pathMtu, type WireFindings } from './diagnosis.ts'
import type { KernelView } from './kernel-view.ts'
import { nextLength } from './path-mtu.ts'
import { type PeerPath, pathsOf, type Survey } from './survey.ts'

const cidr = (text: string) => text as Cidr
const ip = (text: string) => text as Ip
const KEY = 'wdVWnr6SX4f/DLuWl5HzR3eWbIcv4/rbwe/gJNgLtgM='

const lease = {
  key: 'b',
  subnet: cidr('10.5.2.0/24'),
  ipv6Subnet: cidr('fd00:5:0:2::/64'),
  publicIP: ip('192.0.2.2'),
  publicIPv6: ip('2001:db8::2'),
}

const WIREGUARD: Survey = {
  source: 'a test',
  backend: {
    ...{ kind: 'wireguard', listenPort: 51820, listenPortV6: 51821, mode: 'auto', keepalive: 0 },
  },
  underlay: 'eth0',
  base: [
    { kind: 'link', ns: 'node', name: 'flannel-wg', device: { kind: 'wireguard' }, settings: { up: true } },
    { kind: 'route', ns: 'node', dev: 'flannel-wg', dst: cidr('10.5.0.0/16') },
    { kind: 'route', ns: 'node', dev: 'flannel-wg', dst: cidr('fd00:5::/48') },
  ],
  peers: [
    {
      lease,
      plan: [
        {
          ...{ kind: 'wireguard-peer', ns: 'node', dev: 'flannel-wg', publicKey: KEY, keepalive: 0 },
          endpoint: { ip: ip('2001:db8::2'), port: 51820 },
          allowedIPs: [cidr('10.5.2.0/24'), cidr('fd00:5:0:2::/64')],
        },
      ],
    },
  ],
}

const surveyOf = (kind: 'host-gw' | 'ipip', base: Plan, plan: Plan): Survey => ({
  ...WIREGUARD,
  backend: kind === 'ipip' ? { kind, directRouting: false } : { kind },
  base,
  peers: [{ lease: { key: 'b', subnet: lease.subnet, publicIP: lease.publicIP }, plan }],
})
const HOST_GW = surveyOf(
  'host-gw',
  [],
  [{ kind: 'route', ns: 'node', dev: 'eth0', dst: cidr('10.5.2.0/24'), via: ip('192.0.2.2') }],
)
const IPIP = surveyOf(
  'ipip',
  [
    {
      ...{ kind: 'link', ns: 'node', name: 'flannel.ipip', settings: { up: true } },
      device: { kind: 'ipip', local: ip('192.0.2.1') },
    },
  ],
  [{ kind: 'route', ns: 'node', dev: 'flannel.ipip', dst: cidr('10.5.2.0/24'), via: ip('192.0.2.2'), onlink: true }],
)

test('pathsOf() of wireguard leads over the route of the network, to the endpoint of the peer', () => {
  expect(pathsOf(WIREGUARD)).toMatchObject([
    { family: 4, target: '10.5.2.0', dev: 'flannel-wg', endpoint: '2001:db8::2', port: 51820, overhead: 80 },
    { family: 6, target: 'fd00:5:0:2::', dev: 'flannel-wg', endpoint: '2001:db8::2', port: 51820, overhead: 80 },
  ])
})

test('pathsOf() of host-gw leads to the node itself, of ipip over its device', () => {
  const [direct] = pathsOf(HOST_GW)
  expect(direct).toMatchObject({ target: '192.0.2.2', dev: 'eth0', endpoint: '192.0.2.2', overhead: 0 })
  expect([direct?.port, direct?.link]).toEqual([undefined, undefined])
  const [tunnelled] = pathsOf(IPIP)
  expect(tunnelled).toMatchObject({ target: '10.5.2.0', dev: 'flannel.ipip', endpoint: '192.0.2.2', overhead: 20 })
  expect(tunnelled?.port).toBeUndefined()
})

test('pathsOf() of a peer without a plan has no device', () => {
  const [path] = pathsOf({ ...IPIP, peers: [{ lease: { key: 'b', subnet: lease.subnet }, plan: [] }] })
  expect(path).toMatchObject({ dev: '', overhead: 0 })
})

const PEER: WireguardPeer = {
  ...{ publicKey: KEY, endpoint: { ip: ip('2001:db8::2'), port: 51820 }, keepalive: 0, lastHandshake: 0 },
  ...{ allowedIPs: [cidr('10.5.2.0/24'), cidr('fd00:5:0:2::/64')], rxBytes: 0n, txBytes: 0n },
}

const link = (name: string, index: number): Link => ({ name, index, up: true, mtu: 1420 }) as Link

/** A kernel that is as the survey has it. */
const viewOf = (survey: Survey, peer: WireguardPeer | undefined): KernelView => ({
  link: (name) => (name === 'eth0' ? link('eth0', 1) : link(name, 2)),
  nameOf: String,
  linkDrift: new Map(),
  routes: (dst) =>
    [...survey.base, ...(survey.peers[0]?.plan ?? [])].flatMap((fact) =>
      fact.kind === 'route' && fact.dst === dst
        ? [
            {
              ...fact,
              index: fact.dev === 'eth0' ? 1 : 2,
              table: 254,
              scope: 0,
              priority: 0,
              mtu: 0,
              advmss: 0,
              type: 1,
            },
          ]
        : [],
    ) as unknown as ReturnType<KernelView['routes']>,
  wayTo: () => undefined,
  neigh: () => undefined,
  fdb: () => [],
  wireguardPeer: () => peer,
})

const SILENT: WireFindings = { overlay: { errno: 0 }, underlay: { errno: 0, rtt: 1 }, port: 'silent' }

const faultOf = (survey: Survey, peer: WireguardPeer | undefined, wire: WireFindings) => {
  const [path] = pathsOf(survey)
  return diagnose(path as PeerPath, viewOf(survey, peer), wire, 'eth0').fault
}

test.for<readonly [string, Survey, WireguardPeer | undefined, Partial<WireFindings>, string, string]>([
  ['a peer that the device does not have', WIREGUARD, undefined, {}, 'tunnel', 'is missing'],
  ['another allowed IP', WIREGUARD, { ...PEER, allowedIPs: [] }, {}, 'tunnel', 'has the allowed IPs none'],
  ['no handshake', WIREGUARD, PEER, {}, 'tunnel', 'there has been no handshake'],
  ['silence after a handshake', WIREGUARD, { ...PEER, lastHandshake: 1e12 }, {}, 'udp-port', 'is lost'],
  ['a closed port', WIREGUARD, PEER, { port: 'closed' }, 'udp-port', 'the peer has no wireguard device'],
  ['a node that is away', WIREGUARD, PEER, { underlay: { errno: 0 } }, 'underlay', 'does not answer over eth0'],
  ['a silent tunnel without port', IPIP, undefined, {}, 'tunnel', '10.5.2.0 does not answer'],
  ['a silent gateway', HOST_GW, undefined, {}, 'underlay', '192.0.2.2 does not answer'],
])('diagnose() of %s', ([, survey, peer, wire, at, what]) => {
  const { port: _, ...portless } = SILENT
  const found = faultOf(survey, peer, { ...(survey === WIREGUARD ? SILENT : portless), ...wire })
  expect(found).toMatchObject({ at, what: expect.stringContaining(what) })
})

test('diagnose() of a short path says what to set, by backend', () => {
  const short = { overlay: { errno: 0, rtt: 1 }, overlayMtu: 1380 }
  expect(faultOf(WIREGUARD, PEER, short)).toMatchObject({ at: 'mtu', todo: expect.stringContaining('"MTU": 1460') })
  expect(faultOf(IPIP, undefined, short)?.todo).toBe('ip link set eth0 mtu 1400, on every node')
  expect(faultOf(HOST_GW, undefined, short)?.todo).toBe('ip link set eth0 mtu 1380, on every node')
  expect(faultOf(WIREGUARD, PEER, { ...short, overlayMtu: 1420 })).toBeUndefined()
})

test.for([
  [{}, undefined],
  [{ overlayMtu: 1450 }, 1450],
  [{ underlayMtu: 1400 }, 1350],
  [{ overlayMtu: 1450, underlayMtu: 1400 }, 1350],
  [{ overlayMtu: 1300, underlayMtu: 1500 }, 1300],
] as const)('pathMtu() of %j is %s', ([wire, mtu]) => {
  expect(pathMtu({ overhead: 50 } as PeerPath, { ...SILENT, ...wire })).toBe(mtu)
})

test('nextLength() closes in on every length in between', () => {
  for (let limit = 84; limit < 1500; limit++) {
    let [fits, fails, steps] = [84, 1500, 0]
    for (let next = nextLength(fits, fails); next !== undefined; next = nextLength(fits, fails)) {
      steps += 1
      if (next <= limit) fits = next
      else fails = next
    }
    expect(fits).toBe(limit)
    expect(steps).toBeLessThanOrEqual(11)
  }
})
