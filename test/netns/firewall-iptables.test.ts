/** firewall's iptables backend as an executable, beside and together with the reference plugin. */
import { beforeAll, expect, test } from 'vitest'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, mustIn, shellIn } from '../support/netns.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'
import { type Bed, call, gc, makeBed, must, prevResultOf } from './firewall.bed.ts'

const IPTABLES = { backend: 'iptables', cniVersion: '1.0.0' }
const REF = { bin: REFERENCE }

let pods: Bed
beforeAll(() => {
  pods = makeBed()
})
/** The pods, on a node of its own: its rules are what matters. */
const freshNode = (): Bed => ({ ...pods, node: makeNetns('fw-ipt') })

/** Rules of both families, without counters, policies and comment lines. */
const rules = (node: string, variant = 'nft'): string[] =>
  ['iptables', 'ip6tables'].flatMap((tool) =>
    mustIn(node, [`${tool}-${variant}-save`])
      .split('\n')
      .filter((line) => /^-A|^:.* - /.test(line))
      .map((line) => line.replace(/ \[.*/, '')),
  )
const withoutRecords = (lines: readonly string[]): string[] => lines.filter((line) => !line.includes('CNI-FW-'))
const about = (lines: readonly string[], ...words: readonly string[]): string[] =>
  lines.filter((line) => words.some((word) => line.includes(word)))
const dropsTo = (lines: readonly string[], bridge: string): string[] =>
  lines.filter((line) => line.includes(`-o ${bridge} `) && line.endsWith('-j DROP'))

/** The reference names both policies in comments since it has the second. */
const older = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace('same-bridge|isolated', 'same-bridge'))

test.for([
  ['open', {}],
  ['an admin chain', { iptablesAdminChainName: 'MINE' }],
  ['same-bridge', { ingressPolicy: 'same-bridge' }],
] as const)("the rules and their order are the reference plugin's: %s", ([, more]) => {
  const [ours, theirs] = [freshNode(), freshNode()]
  const keys = { ...IPTABLES, ...more }
  for (const pod of [pods.a, pods.c]) {
    must(ours, 'ADD', pod, keys)
    must(theirs, 'ADD', pod, keys, REF)
  }
  expect(older(withoutRecords(rules(ours.node)))).toEqual(rules(theirs.node))
})

test('isolated: a bridge drops what it would forward to itself', () => {
  const here = freshNode()
  for (const pod of [pods.a, pods.c]) must(here, 'ADD', pod, { ...IPTABLES, ingressPolicy: 'isolated' })
  const found = rules(here.node).map((line) => line.replace(/ -m comment --comment ".*?"/, ''))
  const stage1 = found.filter((line) => line.startsWith('-A CNI-ISOLATION-STAGE-1'))
  expect(stage1.slice(0, 5)).toEqual([
    '-A CNI-ISOLATION-STAGE-1 -i br1 -o br1 -j DROP',
    '-A CNI-ISOLATION-STAGE-1 -i br1 ! -o br1 -j CNI-ISOLATION-STAGE-2',
    '-A CNI-ISOLATION-STAGE-1 -i br0 -o br0 -j DROP',
    '-A CNI-ISOLATION-STAGE-1 -i br0 ! -o br0 -j CNI-ISOLATION-STAGE-2',
    '-A CNI-ISOLATION-STAGE-1 -j RETURN',
  ])
  expect(found.filter((line) => line.startsWith('-A FORWARD')).slice(0, 2)).toEqual([
    '-A FORWARD -j CNI-ISOLATION-STAGE-1',
    '-A FORWARD -j CNI-FORWARD',
  ])
})

test.for(['nft', 'legacy'] as const)('ADD, CHECK, DEL and GC leave what they found (%s)', (variant) => {
  const here = freshNode()
  for (const tool of ['iptables', 'ip6tables'])
    shellIn(
      here.node,
      `${tool}-${variant} -A FORWARD -s 127.1.2.3 -j ACCEPT || ${tool}-${variant} -A FORWARD -s ::2 -j ACCEPT`,
    )
  const before = snapshot(here.node)
  const keys = { ...IPTABLES, ingressPolicy: 'isolated' }
  expect(must(here, 'ADD', pods.a, keys)).toEqual({ cniVersion: '1.0.0', ...prevResultOf(pods.a) })
  must(here, 'ADD', pods.b, keys)
  expect(call(here, 'CHECK', pods.a, keys)).toMatchObject({ status: 0, stdout: '' })
  const twice = snapshot(here.node)
  must(here, 'ADD', pods.b, keys)
  expect(difference(twice, snapshot(here.node))).toEqual([])
  must(here, 'DEL', pods.a, { ...keys, prevResult: undefined }, { netns: '/run/netns/pw-gone' })
  const left = rules(here.node, variant)
  expect([about(left, pods.a.ipv4, `${pods.a.ipv6}/`), dropsTo(left, 'br0').length]).toEqual([[], 4])
  must(here, 'DEL', pods.b, keys)
  must(here, 'DEL', pods.b, keys)
  expect(about(rules(here.node, variant), 'br0', 'CNI-FW-', '10.1.0.')).toEqual([])
  gc(here, { ...IPTABLES, cniVersion: '1.1.0' })
  expect(difference(before, snapshot(here.node))).toEqual([])
})

test('CHECK finds what is missing, and makes nothing', () => {
  const here = freshNode()
  expect(call(here, 'CHECK', pods.a, IPTABLES)).toMatchObject({ status: 1, json: { code: 100 } })
  expect(rules(here.node)).toEqual([])
  const keys = { ...IPTABLES, ingressPolicy: 'isolated' }
  must(here, 'ADD', pods.a, keys)
  const whole = mustIn(here.node, ['iptables-nft-save'])
  for (const rule of ['CNI-FORWARD 3', 'CNI-ISOLATION-STAGE-1 1', 'CNI-ISOLATION-STAGE-2 1', 'FORWARD 1']) {
    shellIn(here.node, `iptables-nft -D ${rule}`)
    expect(call(here, 'CHECK', pods.a, keys)).toMatchObject({ status: 1, json: { code: 100 } })
    mustIn(here.node, ['iptables-nft-restore'], { input: `${whole}\n` })
    expect(call(here, 'CHECK', pods.a, keys).status).toBe(0)
  }
})

test.for([
  ['the reference attaches, podwire checks and detaches', 'reference'],
  ['podwire attaches, the reference checks and detaches', 'podwire'],
] as const)('%s', ([, who]) => {
  const here = freshNode()
  const [first, second] = who === 'podwire' ? [binDir(), REFERENCE] : [REFERENCE, binDir()]
  const keys = { ...IPTABLES, ingressPolicy: 'same-bridge' }
  must(here, 'ADD', pods.a, keys, { bin: first })
  expect(call(here, 'CHECK', pods.a, keys, { bin: second })).toMatchObject({ status: 0, stdout: '' })
  must(here, 'DEL', pods.a, keys, { bin: second })
  expect(about(withoutRecords(rules(here.node)), pods.a.ipv4, `${pods.a.ipv6}/`)).toEqual([])
  gc(here, { ...IPTABLES, cniVersion: '1.1.0' })
  expect(about(rules(here.node), pods.a.ipv4, `${pods.a.ipv6}/`)).toEqual([])
})

test('the isolation of a bridge stays while a pod of the reference plugin may be on it', () => {
  const here = freshNode()
  const keys = { ...IPTABLES, ingressPolicy: 'same-bridge' }
  must(here, 'ADD', pods.a, keys, REF)
  must(here, 'ADD', pods.b, keys)
  must(here, 'DEL', pods.b, keys)
  expect(dropsTo(rules(here.node), 'br0')).toHaveLength(2)
  gc(here, { ...IPTABLES, cniVersion: '1.1.0' })
  expect(about(rules(here.node), pods.a.ipv4)).toHaveLength(2)
})

test('a late DEL with the address of a pod that has it now leaves the new pod its rules', () => {
  const here = freshNode()
  must(here, 'ADD', pods.a, IPTABLES)
  must(here, 'DEL', pods.a, IPTABLES)
  must(here, 'ADD', pods.a, IPTABLES, { containerID: 'successor' })
  must(here, 'DEL', pods.a, IPTABLES)
  expect(call(here, 'CHECK', pods.a, IPTABLES, { containerID: 'successor' }).status).toBe(0)
})

test('GC removes the attachments of this network that are not in the list, and keeps the rest', () => {
  const here = freshNode()
  for (const pod of [pods.a, pods.b]) must(here, 'ADD', pod, IPTABLES)
  must(here, 'ADD', pods.c, { ...IPTABLES, name: 'other' })
  shellIn(here.node, 'iptables-nft -A CNI-ADMIN -s 192.0.2.77 -j DROP')
  gc(here, { ...IPTABLES, cniVersion: '1.1.0' }, pods.a)
  const left = rules(here.node)
  expect([pods.a, pods.b, pods.c].map(({ ipv4 }) => about(left, `${ipv4}/32 -j ACCEPT`).length)).toEqual([1, 0, 1])
  gc(here, { ...IPTABLES, cniVersion: '1.1.0' })
  gc(here, { ...IPTABLES, cniVersion: '1.1.0', name: 'other' })
  expect(rules(here.node)).toEqual(expect.arrayContaining([':CNI-ADMIN -', '-A CNI-ADMIN -s 192.0.2.77/32 -j DROP']))
})
