/** Thousands of peers: nothing is lost in buffers, whether all goes well or all is refused, and whether anybody changes
 *  routes meanwhile or not. How long it takes is measured by `npm run bench -- overlay`. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Plan } from '../../kernel/plan.ts'
import { resync, transit } from '../../kernel/reconcile.ts'
import { kernelOf } from '../support/in-process.ts'
import { inside, shellIn } from '../support/netns.ts'
import { BASE, cidr, entriesTo, failuresOf, ip, macOf, makeReconcileBed, resyncIn, SCOPE } from './reconcile.bed.ts'

const PEERS = 5000
/** Both families: 30,000 entries. */
const far = (n: number): Plan => [
  ...entriesTo(
    'flannel.1',
    cidr(`10.${64 + (n >> 8)}.${n & 255}.0/24`),
    macOf(n),
    ip(`198.${18 + (n >> 15)}.${n >> 8}.${n & 255}`),
  ),
  ...entriesTo(
    'flannel-v6.1',
    cidr(`fd00:245:0:${n.toString(16)}::/64`),
    macOf(n + 0x4000),
    ip(`2001:db8:1::${n.toString(16)}`),
  ),
]
const PLAN: Plan = [...BASE, ...Array.from({ length: PEERS }, (_, i) => far(i + 1)).flat()]
const WIDE = { ...SCOPE, networks: [...SCOPE.networks, cidr('10.64.0.0/10'), cidr('fd00:245::/48')] }

const counts = (node: string): string =>
  shellIn(
    node,
    `ip route show proto 112 | wc -l; ip -6 route show proto 112 | wc -l
     ip neigh show dev flannel.1 nud permanent | wc -l; ip -6 neigh show dev flannel-v6.1 nud permanent | wc -l
     bridge fdb show dev flannel.1 | grep -c dst; bridge fdb show dev flannel-v6.1 | grep -c dst`,
  )
const six = (n: number): string => Array(6).fill(n).join('\n')

test('5,000 peers of both families come, are there, and go', () => {
  const node = makeReconcileBed()
  const first = resyncIn(node, PLAN, WIDE)
  expect(first.failures).toEqual([])
  expect(first.changes).toHaveLength(PLAN.length)
  expect(counts(node)).toBe(six(PEERS))
  expect(resyncIn(node, PLAN, WIDE)).toEqual({ changes: [], failures: [] })
  const outcome = kernelOf(node, undefined, (kernel) => transit(far(77), [], kernel))
  expect(outcome.changes).toHaveLength(6)
  expect(counts(node)).toBe(six(PEERS - 1))
  expect(resyncIn(node, [...BASE, ...far(3)], WIDE).changes).toHaveLength((PEERS - 2) * 6)
  expect(counts(node)).toBe(six(1))
})

test('10,000 refusals come back one by one', () => {
  const node = makeReconcileBed()
  resyncIn(node, BASE)
  shellIn(node, 'ip link set flannel.1 down; ip link set flannel-v6.1 down')
  const routes = PLAN.filter((fact) => fact.kind === 'route')
  const outcome = kernelOf(node, undefined, (kernel) => transit([], routes, kernel))
  expect(outcome.changes).toEqual([])
  expect(outcome.failures.map(({ fact }) => fact)).toEqual(routes)
  expect(failuresOf(outcome)[0]).toContain('Nexthop device is not up')
})

/** Changes routes over and over while it runs. */
const unrest = (node: string) => {
  const loop = 'while :; do ip route add 172.30.0.0/24 via 192.0.2.2; ip route del 172.30.0.0/24; done'
  const [program = '', ...args] = inside(node, ['sh', '-c', loop])
  return spawn(program, args, { stdio: 'ignore' })
}

test('a dump during which others change routes is taken again until it is whole', async () => {
  const node = makeReconcileBed()
  resyncIn(node, PLAN, WIDE)
  const child = unrest(node)
  try {
    await new Promise((resolve) => setTimeout(resolve, 200))
    kernelOf(node, undefined, (kernel) => {
      for (let i = 0; i < 5; i++) expect(resync(PLAN, WIDE, kernel)).toEqual({ changes: [], failures: [] })
    })
  } finally {
    child.kill()
  }
})
