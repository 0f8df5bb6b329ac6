/** Peers of WireGuard by the thousand: reconciled in one pass, and `wg` is the observer. */
import { deepEqual, equal } from 'node:assert/strict'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Outcome } from '../../kernel/outcome.ts'
import type { Plan } from '../../kernel/plan.ts'
import { resync, type Scope, transit } from '../../kernel/reconcile.ts'
import type { WireguardPeerFact } from '../../kernel/wireguard-peer.ts'
import { kernelOf } from '../support/in-process.ts'
import { makeNetns, mustIn } from '../support/netns.ts'
import type { Cases } from './case.ts'

const DEV = 'flannel-wg'
const SECRET = 'AEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEA='
const NETWORK = '10.0.0.0/8' as Cidr
const SCOPE: Scope = { devices: [DEV], carriers: [], networks: [NETWORK] }

const BASE: Plan = [
  {
    kind: 'link',
    ns: 'node',
    name: DEV,
    device: { kind: 'wireguard' },
    settings: { mtu: 1420, up: true },
    replace: true,
  },
  { kind: 'wireguard', ns: 'node', dev: DEV, privateKey: SECRET, listenPort: 51820 },
]

const peerOf = (n: number): WireguardPeerFact => ({
  kind: 'wireguard-peer',
  ns: 'node',
  dev: DEV,
  publicKey: Buffer.alloc(32, Buffer.of(n, n >> 8, 7)).toString('base64'),
  endpoint: { ip: `172.16.${n >> 8}.${n & 255}` as Ip, port: 51820 },
  allowedIPs: [`10.${n >> 8}.${n & 255}.0/24` as Cidr],
  keepalive: 0,
})
const fleet = (count: number): WireguardPeerFact[] => Array.from({ length: count }, (_, i) => peerOf(i + 1))

const inNode = (use: (kernel: Kernel, wg: (...args: readonly string[]) => string) => void): void => {
  const node = makeNetns('fleet')
  const wg = (...args: readonly string[]): string => mustIn(node, ['wg', ...args])
  kernelOf(node, undefined, (kernel) => use(kernel, wg))
}

/** How many changes there were for each reason; a failure is an error. */
const countsOf = ({ changes, failures }: Outcome): Readonly<Record<string, number>> => {
  for (const { error } of failures) throw error
  const counts: Record<string, number> = {}
  for (const { why } of changes) counts[why] = (counts[why] ?? 0) + 1
  return counts
}

const shown = (facts: readonly WireguardPeerFact[]): string =>
  facts
    .map(({ publicKey, allowedIPs }) => `${publicKey}\t${allowedIPs.join(' ')}`)
    .sort()
    .join('\n')
const allowedIn = (wg: (...args: readonly string[]) => string): string =>
  wg('show', DEV, 'allowed-ips').split('\n').sort().join('\n')

export const wireguardFleetCases: Cases = {
  'a resync makes peers that lack, mends those that differ, removes those that are stale, and then finds nothing to do':
    () =>
      inNode((kernel, wg) => {
        const wanted = fleet(5)
        deepEqual(countsOf(resync([...BASE, ...wanted], SCOPE, kernel)), { missing: 7 })
        deepEqual(countsOf(resync([...BASE, ...wanted], SCOPE, kernel)), {})
        const [first, second, third] = wanted.map(({ publicKey }) => publicKey)
        wg('set', DEV, 'peer', first ?? '', 'remove')
        wg('set', DEV, 'peer', second ?? '', 'allowed-ips', '10.0.2.0/25,10.0.3.0/24')
        wg('set', DEV, 'peer', third ?? '', 'persistent-keepalive', '5')
        wg('set', DEV, 'peer', peerOf(99).publicKey, 'allowed-ips', '10.0.4.0/24')
        deepEqual(countsOf(resync([...BASE, ...wanted], SCOPE, kernel)), { missing: 1, different: 3, stale: 1 })
        equal(allowedIn(wg), shown(wanted))
        deepEqual(countsOf(resync([...BASE, ...wanted], SCOPE, kernel)), {})
      }),

  'a device that was deleted is back with all its peers after one resync': () =>
    inNode((kernel, wg) => {
      const plan = [...BASE, ...fleet(200)]
      countsOf(resync(plan, SCOPE, kernel))
      countsOf(resync([], SCOPE, kernel))
      equal(wg('show', 'interfaces'), '')
      deepEqual(countsOf(resync(plan, SCOPE, kernel)), { missing: 202 })
      equal(allowedIn(wg), shown(fleet(200)))
    }),

  'a transit sets a new peer before it removes the old one, and what has not changed is not touched': () =>
    inNode((kernel, wg) => {
      const [kept, old] = fleet(2) as [WireguardPeerFact, WireguardPeerFact]
      const renewed = { ...old, publicKey: peerOf(3).publicKey }
      countsOf(transit([], [...BASE, kept, old], kernel))
      const outcome = transit([...BASE, kept, old], [...BASE, kept, renewed], kernel)
      deepEqual(countsOf(outcome), { new: 1, gone: 1 })
      deepEqual(
        outcome.changes.map(({ why }) => why),
        ['new', 'gone'],
      )
      equal(allowedIn(wg), shown([kept, renewed]))
      countsOf(transit([kept], [{ ...kept, endpoint: { ip: '172.16.9.9' as Ip, port: 1 } }], kernel))
      equal(wg('show', DEV, 'endpoints').includes('172.16.9.9:1'), true)
      deepEqual(countsOf(transit([...BASE, kept, renewed], [], kernel)).gone, 2)
      deepEqual(countsOf(transit([kept], [], kernel)), {})
    }),

  'a device that is not there is one failure, however many peers it was to have': () =>
    inNode((kernel) => {
      const failures = transit([], fleet(300), kernel).failures.map(({ error }) => String(error))
      deepEqual(failures.length, 1)
      equal(/wg set flannel-wg peer .* and 299 more: ENODEV/.test(failures[0] ?? ''), true, failures[0])
    }),

  '5,000 peers are set by one resync, and compared by the next': () =>
    inNode((kernel, wg) => {
      const plan = [...BASE, ...fleet(5000)]
      const made = countsOf(resync(plan, SCOPE, kernel))
      const kept = countsOf(resync(plan, SCOPE, kernel))
      deepEqual([made, kept], [{ missing: 5002 }, {}])
      equal(wg('show', DEV, 'peers').split('\n').length, 5000)
    }),
}
