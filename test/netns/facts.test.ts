/** Every kind of fact on a real kernel. Two equal beds: one gets the plan applied over netlink, the other the commands that
 *  the plan renders to. Both must then hold the same; no drift may be seen; and after removal all is as before. */
import { expect, test } from 'vitest'
import { apply, driftOf, remove, renderPlan } from '../../kernel/apply.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { kernelOf } from '../support/in-process.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, shellIn } from '../support/netns.ts'
import { cidr, ip, MAC_A, MAC_B, PLANS, pair, podAddress, podUp } from './facts.table.ts'

const bed = (): { node: string; pod: string } => ({ node: makeNetns('fact-node'), pod: makeNetns('fact-pod') })
const both = ({ node, pod }: { node: string; pod: string }) => [
  ...snapshot(node).map((line) => `node ${line}`),
  ...snapshot(pod).map((line) => `pod ${line}`),
]
/** Names of namespaces in what `ip` prints differ between the beds. */
const anonymous = (lines: readonly string[]): string[] =>
  lines.map((line) =>
    line
      .replace(/link-netns \S+|link-netnsid \d+/, 'link-netns X')
      .replaceAll(/@if\d+/g, '@ifN')
      .replace(/ state \w+ mode/, ' mode'),
  )

const commandsOf = (plan: Plan, pod: string): { node: string; pod: string } => {
  const lines = (ns: 'node' | 'pod') =>
    plan
      .filter((fact) => 'ns' in fact && fact.ns === ns)
      .map((fact) => renderPlan([fact]).replaceAll('netns pod', `netns ${pod}`))
  return { node: lines('node').join('\n'), pod: lines('pod').join('\n') }
}

test.for(Object.entries(PLANS))('%s: apply() does what the rendered commands do', ([, { plan }]) => {
  const ours = bed()
  const theirs = bed()
  kernelOf(ours.node, ours.pod, (kernel) => apply(plan, kernel))
  const commands = commandsOf(plan, theirs.pod)
  shellIn(theirs.node, commands.node)
  shellIn(theirs.pod, commands.pod)
  expect(anonymous(both(ours))).toEqual(anonymous(both(theirs)))
})

test.for(Object.entries(PLANS))('%s: no drift after apply(), all of it before', ([, { plan }]) => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => {
    expect(driftOf(plan, kernel)).toHaveLength(plan.length)
    apply(plan, kernel)
    expect(driftOf(plan, kernel)).toEqual([])
  })
})

test.for(Object.entries(PLANS).filter(([, { shared }]) => !shared))(
  '%s: remove() leaves nothing and may run twice',
  ([, { plan }]) => {
    const beds = bed()
    const before = both(beds)
    kernelOf(beds.node, beds.pod, (kernel) => {
      apply(plan, kernel)
      remove(plan, kernel)
      remove(plan, kernel)
    })
    expect(difference(before, both(beds))).toEqual([])
  },
)

test('apply() undoes what it made when a later fact fails, and says which command that was', () => {
  const beds = bed()
  const before = both(beds)
  const impossible: Fact = { kind: 'route', ns: 'pod', dev: 'eth0', dst: cidr('10.9.0.0/16'), via: ip('203.0.113.1') }
  expect(() => kernelOf(beds.node, beds.pod, (kernel) => apply([pair, podUp, podAddress, impossible], kernel))).toThrow(
    'ip route prepend 10.9.0.0/16 via 203.0.113.1 dev eth0',
  )
  expect(difference(before, both(beds))).toEqual([])
})

test('apply() of an own link that exists refuses and leaves the other one alone', () => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => {
    apply([pair, podUp, podAddress], kernel)
    expect(() => apply([pair], kernel)).toThrow('the interface eth0 or host0 exists already')
    expect(driftOf([pair, podUp, podAddress], kernel)).toEqual([])
  })
})

const DRIFTS: readonly (readonly [what: string, script: string, found: string])[] = [
  ['a deleted link', 'ip link del eth0', 'interface host0 is missing'],
  ['a link that is down', 'ip link set eth0 down', 'has up false, not true'],
  ['another address', `ip link set eth0 address ${MAC_B}`, `has mac ${MAC_B}, not ${MAC_A}`],
  ['a missing address', 'ip addr del 10.1.0.2/24 dev eth0', 'address 10.1.0.2/24 is missing on eth0'],
  [
    'an address of another length',
    'ip addr del 10.1.0.2/24 dev eth0; ip addr add 10.1.0.2/25 dev eth0',
    'address 10.1.0.2/24 is missing',
  ],
]

test.for(DRIFTS)('driftOf() names %s', ([, script, found]) => {
  const { node, pod } = bed()
  kernelOf(node, pod, (kernel) => apply([pair, podUp, podAddress], kernel))
  shellIn(pod, script)
  expect(kernelOf(node, pod, (kernel) => driftOf([pair, podUp, podAddress], kernel)).join('\n')).toContain(found)
})
