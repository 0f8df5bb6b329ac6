/** WireGuard as facts, on a kernel that has it: nodes joined by an underlay, each with an address of the overlay on its
 *  device. `wg` is the observer. */
import { deepEqual, equal, match } from 'node:assert/strict'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import { publicKeyOf } from '../../agent/wireguard-key.ts'
import { apply, driftOf, remove } from '../../kernel/apply.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { WireguardPeerFact } from '../../kernel/wireguard-peer.ts'
import { kernelOf } from '../support/in-process.ts'
import { mustIn } from '../support/netns.ts'
import { ping, waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'
import type { Cases } from './case.ts'

const DEV = 'flannel-wg'
const PORT = 51820
const PSK = 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='
const OTHER_PSK = 'ILCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='

/** A private key, clamped. */
const secretOf = (n: number): string => Buffer.from([n * 8, ...new Array<number>(31).fill(0x40)]).toString('base64')

const addresses = (n: number): Cidr[] => [`10.244.${n}.0/32`, `fd00:0:0:${n}::/128`] as Cidr[]
const subnets = (n: number): Cidr[] => [`10.244.${n}.0/24`, `fd00:0:0:${n}::/64`] as Cidr[]

const baseOf = (n: number): Plan => [
  {
    kind: 'link',
    ns: 'node',
    name: DEV,
    device: { kind: 'wireguard' },
    settings: { mtu: 1420, up: true },
    replace: true,
  },
  { kind: 'wireguard', ns: 'node', dev: DEV, privateKey: secretOf(n), listenPort: PORT },
  ...addresses(n).map((address) => ({ kind: 'addr', ns: 'node', dev: DEV, address }) as const),
  { kind: 'route', ns: 'node', dst: '10.244.0.0/16' as Cidr, dev: DEV },
  { kind: 'route', ns: 'node', dst: 'fd00::/48' as Cidr, dev: DEV },
]

const peerOf = (n: number, ip: string, presharedKey?: string): WireguardPeerFact => ({
  kind: 'wireguard-peer',
  ns: 'node',
  dev: DEV,
  publicKey: publicKeyOf(secretOf(n)),
  ...(presharedKey === undefined ? {} : { presharedKey }),
  endpoint: { ip: ip as Ip, port: PORT },
  allowedIPs: subnets(n),
  keepalive: 0,
})

const applyIn = ({ netns }: UnderlayNode, plan: Plan): void =>
  kernelOf(netns, undefined, (kernel) => apply(plan, kernel))
const driftIn = ({ netns }: UnderlayNode, plan: Plan): string[] =>
  kernelOf(netns, undefined, (kernel) => driftOf(plan, kernel))

/** Two nodes, each the other's peer. */
const pairOf = (family: 4 | 6, keys: readonly [string?, string?] = []): readonly UnderlayNode[] => {
  const { nodes } = makeUnderlay(2)
  for (const [i, node] of nodes.entries()) {
    const other = nodes[1 - i]
    const ip = (family === 4 ? other?.ipv4 : other?.ipv6) ?? ''
    applyIn(node, [...baseOf(i + 1), peerOf(2 - i, ip, keys[i])])
  }
  return nodes
}

const hears = (node: UnderlayNode | undefined, address: string): boolean => ping(node?.netns ?? '', address)

/** A guest in software takes its time over a handshake. */
const hearsBoth = (node: UnderlayNode | undefined, n: number): boolean =>
  waitFor(() => hears(node, `10.244.${n}.0`) && hears(node, `fd00:0:0:${n}::`))

const underlayCase = (family: 4 | 6) => () => {
  const [first, second] = pairOf(family)
  equal(hearsBoth(first, 2), true)
  equal(hearsBoth(second, 1), true)
  const [device, peer] = mustIn(first?.netns ?? '', ['wg', 'show', DEV, 'dump'])
    .split('\n')
    .map((line) => line.split('\t'))
  deepEqual(device, [secretOf(1), publicKeyOf(secretOf(1)), `${PORT}`, 'off'])
  const endpoint = family === 4 ? `${second?.ipv4}:${PORT}` : `[${second?.ipv6}]:${PORT}`
  deepEqual(peer?.slice(0, 4), [publicKeyOf(secretOf(2)), '(none)', endpoint, subnets(2).join(',')])
}

export const wireguardCases: Cases = {
  'two nodes hear each other through WireGuard over IPv4, and wg sees what was stated': underlayCase(4),
  'two nodes hear each other through WireGuard over IPv6, and wg sees what was stated': underlayCase(6),

  'a preshared key that both have lets traffic through, one that differs does not; a peer that is removed is not heard':
    () => {
      const [first, second] = pairOf(4, [PSK, PSK])
      equal(hearsBoth(first, 2), true)
      const peer = peerOf(2, second?.ipv4 ?? '', PSK)
      kernelOf(first?.netns ?? '', undefined, (kernel) => {
        remove([peer], kernel)
        apply([{ ...peer, presharedKey: OTHER_PSK }], kernel)
      })
      equal(hears(first, '10.244.2.0'), false)
      for (let i = 0; i < 2; i++) kernelOf(first?.netns ?? '', undefined, (kernel) => remove([peer], kernel))
      equal(mustIn(first?.netns ?? '', ['wg', 'show', DEV, 'peers']), '')
      equal(hears(second, '10.244.1.0'), false)
    },

  'what was stated has not drifted; what somebody changes is found, and ensured again': () => {
    const [first, second] = pairOf(4, [PSK, PSK])
    const netns = first?.netns ?? ''
    const plan = [...baseOf(1), peerOf(2, second?.ipv4 ?? '', PSK)]
    const key = publicKeyOf(secretOf(2))
    deepEqual(driftIn(first as UnderlayNode, plan), [])
    for (const [change, why] of [
      [`peer ${key} endpoint 192.0.2.99:1`, /is at 192\.0\.2\.99:1, not 192\.0\.2\.2:51820/],
      [`peer ${key} allowed-ips 10.244.2.0/25`, /has the allowed IPs 10\.244\.2\.0\/25, not/],
      [`peer ${key} persistent-keepalive 9`, /is kept alive every 9 s, not 0/],
      [`peer ${key} preshared-key /dev/null`, /has another preshared key/],
      [`peer ${key} remove`, /is missing/],
      ['listen-port 4711', /listens on port 4711, not 51820/],
      ['private-key /dev/null', /has no private key/],
    ] as const) {
      mustIn(netns, ['wg', 'set', DEV, ...change.split(' ')])
      match(driftIn(first as UnderlayNode, plan).join('\n'), why)
      applyIn(
        first as UnderlayNode,
        plan.filter(({ kind }) => kind.startsWith('wireguard')),
      )
      deepEqual(driftIn(first as UnderlayNode, plan), [])
    }
    equal(hearsBoth(first, 2), true)
    mustIn(netns, ['wg', 'set', DEV, 'peer', key, 'endpoint', '192.0.2.99:1'])
    deepEqual(driftIn(first as UnderlayNode, plan), []) // a session runs: where its packets come from counts
    equal(hears(second, '10.244.1.0'), true)
    equal(mustIn(netns, ['wg', 'show', DEV, 'endpoints']), `${key}\t${second?.ipv4}:${PORT}`)
  },
}
