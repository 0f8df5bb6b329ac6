/** Random sequences of what happens to an overlay: peers that come, change and go, known to the agent or while it is down; a
 *  pass that is broken off; entries and devices that others change, remove or add. After each resync the kernel holds the
 *  plan, what is foreign, and nothing else. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Plan } from '../../kernel/plan.ts'
import { resync, transit } from '../../kernel/reconcile.ts'
import { kernelOf } from '../support/in-process.ts'
import { runIn, shellIn } from '../support/netns.ts'
import {
  directPeer,
  failuresOf,
  held,
  macOf,
  makeReconcileBed,
  peer,
  planOf,
  SCOPE,
  withPlan,
} from './reconcile.bed.ts'

/** Which peers there are; how each is reached. */
type Peers = ReadonlyMap<number, Way>
type Way = 'old' | 'new' | 'direct'

const factsOf = (n: number, way: Way): Plan => (way === 'direct' ? directPeer(n) : peer(n, way === 'old' ? 0 : 1))
const planFor = (peers: Peers): Plan => planOf(...[...peers].map(([n, way]) => factsOf(n, way)))

type Step =
  | { readonly kind: 'set'; readonly n: number; readonly way: Way; readonly seen: boolean }
  | { readonly kind: 'gone'; readonly n: number; readonly seen: boolean }
  /** So many entries of the plan are written from nothing; then the agent is killed. */
  | { readonly kind: 'broken off'; readonly after: number }
  | { readonly kind: 'edit'; readonly script: string }
  | { readonly kind: 'foreign'; readonly script: string; readonly line: string }
  | { readonly kind: 'resync' }

/** Peers have numbers from 11: those below are addresses of the bed's own on the underlay. */
const number = fc.integer({ min: 11, max: 15 })
const way = fc.constantFrom<Way>('old', 'new', 'direct')

/** What leaves no doubt whose it is: with a mark of ours, or of a shape of flanneld's. */
const editOf = (n: number): readonly string[] => [
  'ip link del flannel.1',
  'ip link del flannel-v6.1',
  'ip link set flannel.1 down',
  'ip link set flannel-v6.1 down; ip link set flannel-v6.1 up',
  'ip link set flannel.1 address 0e:ff:00:00:00:99',
  'ip link del flannel.1; ip link add flannel.1 type vxlan id 9 dev up0 dstport 4789',
  'ip addr flush dev flannel.1',
  'ip addr add 10.244.99.0/32 dev flannel.1',
  'ip route flush dev flannel.1',
  'ip -6 route flush proto 112',
  'ip neigh flush dev flannel.1 nud permanent; ip neigh flush dev flannel-v6.1 nud permanent',
  `ip route del 10.244.${n}.0/24`,
  `ip route replace 10.244.${n}.0/24 via 192.0.2.2 proto 112`,
  `ip route replace fd00:244:0:${n.toString(16)}::/64 via 2001:db8::2 proto 112`,
  `ip route replace blackhole 10.244.${n}.0/24 proto 112`,
  `ip neigh replace 10.244.${n}.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud stale`,
  `ip neigh replace 10.244.${n}.0 lladdr ${macOf(11)} dev flannel.1 nud permanent`,
  `bridge fdb del ${macOf(n)} dev flannel.1`,
  `bridge fdb replace ${macOf(n)} dev flannel.1 dst 198.51.100.99 self permanent extern_learn`,
]

const FOREIGN: readonly (readonly [script: string, line: string])[] = [
  [
    'ip route add 172.21.0.0/16 via 192.0.2.2 dev up0 proto 112',
    'route 172.21.0.0/16 via 192.0.2.2 dev up0 proto 112 metric 0',
  ],
  [
    'ip route add 10.244.200.0/24 via 192.0.2.2 dev up0',
    'route 10.244.200.0/24 via 192.0.2.2 dev up0 proto boot metric 0',
  ],
  [
    'ip neigh add 10.244.13.0 lladdr 02:00:00:00:00:09 dev up0 nud permanent',
    'neigh 10.244.13.0 02:00:00:00:00:09 dev up0 proto -',
  ],
  ['ip route add blackhole 10.244.201.0/24 proto static', 'blackhole 10.244.201.0/24 proto static metric 0'],
]

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), n: number, way, seen: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('gone' as const), n: number, seen: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('broken off' as const), after: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: number.chain((n) => fc.constantFrom(...editOf(n))).map((script) => ({ kind: 'edit' as const, script })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...FOREIGN).map(([script, line]) => ({ kind: 'foreign' as const, script, line })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'resync' as const }) },
)

interface World {
  readonly node: string
  peers: Peers
  readonly foreign: Set<string>
}

/** An agent that sees the change brings the kernel from one to the other; one that is down does not. */
const change = (world: World, n: number, next: Peers, seen: boolean): void => {
  const [from, to] = [world.peers, next].map((peers): Plan => {
    const at = peers.get(n)
    return at === undefined ? [] : factsOf(n, at)
  })
  world.peers = next
  if (seen) kernelOf(world.node, undefined, (kernel) => transit(from ?? [], to ?? [], kernel))
}

const check = (world: World, before: readonly string[]): void => {
  const plan = planFor(world.peers)
  kernelOf(world.node, undefined, (kernel) => {
    expect(failuresOf(resync(plan, SCOPE, kernel))).toEqual([])
    expect(resync(plan, SCOPE, kernel)).toEqual({ changes: [], failures: [] })
  })
  expect(held(world.node)).toEqual(withPlan([...before, ...world.foreign], plan))
}

const take = (world: World, before: readonly string[], taken: Step): void => {
  switch (taken.kind) {
    case 'set':
      change(world, taken.n, new Map([...world.peers, [taken.n, taken.way]]), taken.seen)
      return
    case 'gone':
      change(world, taken.n, new Map([...world.peers].filter(([n]) => n !== taken.n)), taken.seen)
      return
    case 'broken off':
      kernelOf(world.node, undefined, (kernel) => transit([], planFor(world.peers).slice(0, taken.after), kernel))
      return
    case 'edit':
      runIn(world.node, ['sh', '-c', taken.script]) // what it is about may not be there
      return
    case 'foreign':
      if (!world.foreign.has(taken.line)) shellIn(world.node, taken.script)
      world.foreign.add(taken.line)
      return
    case 'resync':
      check(world, before)
      return
    default:
      taken satisfies never
  }
}

test('whatever happens, the next resync() leaves the plan, what is foreign, and nothing else', {
  timeout: 300_000,
}, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 16 }), (steps) => {
      const node = makeReconcileBed()
      const before = held(node)
      const world: World = { node, peers: new Map(), foreign: new Set() }
      for (const taken of steps) take(world, before, taken)
      check(world, before)
    }),
    { numRuns: 25 },
  )
})
