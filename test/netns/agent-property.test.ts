/** Whatever happens to the leases, the agent and the kernel, in whatever order: soon after each event the kernel holds what
 *  the store says, as `ip` and `bridge` show it, and what others put on the overlay's link is untouched. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import { runIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay } from '../support/underlay.ts'

const DEVICE = 'flannel.1'
const PEERS = 6
/** In the everyday suite; `PROPERTY_RUNS=200` for a long run. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 3)
const PATIENCE_MS = 15_000

/** A peer's lease; `version` makes another MAC and another address of it. */
interface Peer {
  readonly i: number
  readonly version: number
}

const baseOf = (i: number): string => `10.244.${100 + i}.0`
const macOf = ({ i, version }: Peer): string => `0e:00:00:00:0${version}:0${i}`
const endpointOf = ({ i, version }: Peer): string => `192.0.2.${100 + 10 * version + i}`

const linesOf = (peer: Peer): readonly string[] => [
  `route ${baseOf(peer.i)}/24 via ${baseOf(peer.i)}`,
  `neigh ${baseOf(peer.i)} ${macOf(peer)}`,
  `fdb ${macOf(peer)} ${endpointOf(peer)}`,
]

interface Bed {
  readonly netns: string
  readonly store: string
  readonly folder: string
  readonly peers: Map<number, Peer>
  agent: Agent
  /** Whether somebody else's entries are on the link. */
  foreign: boolean
}

const FOREIGN = { route: '203.0.113.0/24', mac: '0e:ff:ff:ff:ff:01', ip: '192.0.2.254' }
const FOREIGN_LINES = [`route ${FOREIGN.route} via -`, `fdb ${FOREIGN.mac} ${FOREIGN.ip}`]

interface Shown {
  readonly dst?: string
  readonly gateway?: string
  readonly lladdr?: string
  readonly mac?: string
}

const shownBy = (netns: string, ...argv: readonly string[]): readonly Shown[] => {
  const { stdout } = runIn(netns, argv)
  return stdout.trim() === '' ? [] : JSON.parse(stdout)
}

const onLink = (netns: string): readonly string[] =>
  [
    ...shownBy(netns, 'ip', '-j', '-4', 'route', 'show', 'dev', DEVICE).map(
      ({ dst, gateway = '-' }) => `route ${dst} via ${gateway}`,
    ),
    ...shownBy(netns, 'ip', '-j', '-4', 'neigh', 'show', 'dev', DEVICE, 'nud', 'permanent').map(
      ({ dst, lladdr }) => `neigh ${dst} ${lladdr}`,
    ),
    ...shownBy(netns, 'bridge', '-j', 'fdb', 'show', 'dev', DEVICE).map(({ mac, dst }) => `fdb ${mac} ${dst}`),
  ].sort()

const wanted = ({ peers, foreign }: Bed): readonly string[] =>
  [...[...peers.values()].flatMap(linesOf), ...(foreign ? FOREIGN_LINES : [])].sort()

const pathOf = ({ store }: Bed, i: number): string => `${store}/subnets/${baseOf(i)}-24.json`

const writeLease = (bed: Bed, peer: Peer): void => {
  const value = {
    PublicIP: endpointOf(peer),
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: macOf(peer) },
  }
  writeFileSync(`${bed.store}/draft`, JSON.stringify(value))
  renameSync(`${bed.store}/draft`, pathOf(bed, peer.i))
  bed.peers.set(peer.i, peer)
}

const start = ({ netns, store, folder }: Omit<Bed, 'agent'>): Agent => {
  const state = ['--state-dir', `${folder}/state`]
  return startAgent({ netns, folder, args: ['--store', 'file', '--store-dir', store, '--iface', 'eth0', ...state] })
}

const makeBed = (): Bed => {
  const store = makeFolder('property-store')
  mkdirSync(`${store}/subnets`)
  const range = { Network: '10.244.0.0/16', SubnetMax: '10.244.50.0' }
  writeFileSync(`${store}/config.json`, JSON.stringify({ ...range, Backend: { Type: 'vxlan' } }))
  const netns = makeUnderlay(1, 'property').nodes[0]?.netns ?? ''
  const bed = { netns, store, folder: makeFolder('property-agent'), peers: new Map<number, Peer>(), foreign: false }
  return { ...bed, agent: start(bed) }
}

/** Edits by hand that break a peer; they do nothing when it is not there. */
const edit = ({ netns, peers }: Bed, i: number, what: 'route' | 'neigh' | 'fdb' | 'lladdr'): void => {
  const peer = peers.get(i) ?? { i, version: 0 }
  const base = baseOf(i)
  const commands = {
    route: ['ip', 'route', 'del', `${base}/24`, 'dev', DEVICE],
    neigh: ['ip', 'neigh', 'del', base, 'dev', DEVICE],
    fdb: ['bridge', 'fdb', 'del', macOf(peer), 'dev', DEVICE, 'dst', endpointOf(peer), 'self'],
    lladdr: ['ip', 'neigh', 'change', base, 'lladdr', '0e:00:00:00:77:77', 'dev', DEVICE, 'nud', 'permanent'],
  } as const
  runIn(netns, commands[what])
}

const addForeign = (bed: Bed): void => {
  runIn(bed.netns, ['ip', 'route', 'replace', FOREIGN.route, 'dev', DEVICE, 'proto', 'static'])
  runIn(bed.netns, ['bridge', 'fdb', 'replace', FOREIGN.mac, 'dev', DEVICE, 'dst', FOREIGN.ip, 'self'])
  bed.foreign = true
}

const restart = (bed: Bed, signal: 'SIGKILL' | 'SIGTERM'): void => {
  bed.agent.end(signal)
  bed.agent = start(bed)
}

/** The link's own and everybody's entries go with it. */
const wipe = (bed: Bed): void => {
  runIn(bed.netns, ['ip', 'link', 'del', DEVICE])
  bed.foreign = false
}

/** Routes that are somebody else's go with a link that is down, as the kernel has it. */
const takeDown = (bed: Bed): void => {
  runIn(bed.netns, ['ip', 'link', 'set', DEVICE, 'down'])
  if (bed.foreign && waitFor(() => runIn(bed.netns, ['ip', 'link', 'show', DEVICE, 'up']).stdout !== '', PATIENCE_MS))
    addForeign(bed)
}

/** Those that need nothing but the bed. */
const PLAIN = {
  crash: (bed: Bed) => restart(bed, 'SIGKILL'),
  restart: (bed: Bed) => restart(bed, 'SIGTERM'),
  'wipe link': wipe,
  'link down': takeDown,
  foreign: addForeign,
  flush: ({ netns }: Bed) => void runIn(netns, ['ip', 'route', 'flush', 'dev', DEVICE, 'proto', '112']),
  'flush neigh': ({ netns }: Bed) => void runIn(netns, ['ip', 'neigh', 'flush', 'dev', DEVICE, 'nud', 'permanent']),
} as const

type Happening =
  | { readonly kind: 'lease'; readonly i: number; readonly version: number }
  | { readonly kind: 'leave'; readonly i: number }
  | { readonly kind: 'edit'; readonly i: number; readonly what: 'route' | 'neigh' | 'fdb' | 'lladdr' }
  | { readonly kind: keyof typeof PLAIN }

const leave = (bed: Bed, i: number): void => {
  rmSync(pathOf(bed, i), { force: true })
  bed.peers.delete(i)
}

const happen = (bed: Bed, happening: Happening): void => {
  if (happening.kind === 'lease') writeLease(bed, happening)
  else if (happening.kind === 'leave') leave(bed, happening.i)
  else if (happening.kind === 'edit') edit(bed, happening.i, happening.what)
  else PLAIN[happening.kind](bed)
}

const index = fc.integer({ min: 0, max: PEERS - 1 })
const happenings: fc.Arbitrary<Happening> = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant('lease'), i: index, version: fc.integer({ min: 0, max: 2 }) }),
    weight: 6,
  },
  { arbitrary: fc.record({ kind: fc.constant('leave'), i: index }), weight: 2 },
  {
    arbitrary: fc.record({
      kind: fc.constant('edit'),
      i: index,
      what: fc.constantFrom('route', 'neigh', 'fdb', 'lladdr'),
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom(...(Object.keys(PLAIN) as (keyof typeof PLAIN)[])),
    }),
    weight: 4,
  },
) as fc.Arbitrary<Happening>

/** A crash may come before the last event was noticed; the agent that follows must see to it. */
const requireEqual = (bed: Bed, happening: Happening): void => {
  waitFor(() => JSON.stringify(onLink(bed.netns)) === JSON.stringify(wanted(bed)), PATIENCE_MS)
  expect(onLink(bed.netns), `after ${JSON.stringify(happening)}\n${bed.agent.log()}`).toEqual(wanted(bed))
}

test('whatever happens, the kernel is as the leases say soon afterwards', { timeout: RUNS * 120_000 }, () => {
  const sequences = fc.array(happenings, { minLength: 10, maxLength: 14 })
  fc.assert(
    fc.property(sequences, (sequence) => {
      const bed = makeBed()
      untilReady(bed.agent)
      try {
        for (const happening of sequence) {
          happen(bed, happening)
          requireEqual(bed, happening)
        }
      } finally {
        bed.agent.end()
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  )
})
