/** Packets to published ports, for both backends and both families: who answers, and who the pod sees. */
import { expect, test } from 'vitest'
import { mustIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, type NodeBed, OUTSIDE_IPV4, OUTSIDE_IPV6 } from '../support/node.ts'
import { ask, listen } from '../support/probe.ts'
import { add, check, del, list, podOf, settle, tcp, udp } from './portmap.bed.ts'

const BACKENDS = ['nftables', 'iptables'] as const
const GATEWAY = { 4: '10.9.0.1', 6: 'fd00:9::1' } as const

/** From where, to which address of the node, and the source that the pod sees. */
const WAYS: readonly (readonly [who: string, from: (bed: NodeBed) => string, to: string, seen: string])[] = [
  ['the outside', ({ outside }) => outside, NODE_IPV4, OUTSIDE_IPV4],
  ['the outside', ({ outside }) => outside, NODE_IPV6, OUTSIDE_IPV6],
  ['the node', ({ node }) => node, NODE_IPV4, NODE_IPV4],
  ['the node', ({ node }) => node, NODE_IPV6, NODE_IPV6],
  ['the node, to localhost', ({ node }) => node, '127.0.0.1', GATEWAY[4]],
  ['the pod itself', ({ pods }) => pods[0] ?? '', NODE_IPV4, GATEWAY[4]],
  ['the pod itself', ({ pods }) => pods[0] ?? '', NODE_IPV6, GATEWAY[6]],
  ['another pod of the subnet', ({ pods }) => pods[1] ?? '', NODE_IPV4, GATEWAY[4]],
  ['another pod of the subnet', ({ pods }) => pods[1] ?? '', NODE_IPV6, GATEWAY[6]],
]

test.for(BACKENDS)('%s: a published port is reached from everywhere over TCP and UDP', (backend) => {
  const bed = makeNode(2)
  const conf = list(bed, { backend })
  add(conf, podOf(bed, 0, [tcp(8080), udp(8080)]))
  add(conf, podOf(bed, 1, []))
  settle(bed)
  const stop = listen(bed.pods[0] ?? '', 'web', 80)
  const found = WAYS.flatMap(([who, from, to]) =>
    (['tcp', 'udp'] as const).map((protocol) => {
      const answer = ask({ from: from(bed), to, port: 8080, protocol })
      return `${who} over ${protocol} to ${to}: ${answer}`
    }),
  )
  stop()
  expect(found).toEqual(
    WAYS.flatMap(([who, , to, seen]) =>
      ['tcp', 'udp'].map((protocol) => `${who} over ${protocol} to ${to}: web ${seen}`),
    ),
  )
})

test.for(BACKENDS)('%s: a port that is not published, and one whose pod is gone, answer nobody', (backend) => {
  const bed = makeNode(1)
  const conf = list(bed, { backend })
  const pod = podOf(bed, 0, [tcp(8080)])
  const result = add(conf, pod)
  const stop = listen(bed.pods[0] ?? '', 'web', 80)
  const knock = (port: number) => ask({ from: bed.outside, to: NODE_IPV4, port, patience: 0.4 })
  expect([knock(8080), knock(8081)]).toEqual([`web ${OUTSIDE_IPV4}`, ''])
  stop()
  expect(del(conf, pod, result)).toEqual([0, 0])
  expect(knock(8080)).toBe('')
})

test.for(BACKENDS)('%s: a port on one address goes before the same port on all', (backend) => {
  const bed = makeNode(2)
  const conf = list(bed, { backend })
  const wide = add(conf, podOf(bed, 0, [tcp(8080, 80, '0.0.0.0'), tcp(8080, 80, '::')]))
  const narrow = add(conf, podOf(bed, 1, [tcp(8080, 80, NODE_IPV4)]))
  settle(bed)
  const stops = [listen(bed.pods[0] ?? '', 'wide', 80), listen(bed.pods[1] ?? '', 'narrow', 80)]
  const to = (address: string) => ask({ from: bed.node, to: address, port: 8080 }).split(' ')[0]
  expect([to(NODE_IPV4), to('127.0.0.1'), to(NODE_IPV6)]).toEqual(['narrow', 'wide', 'wide'])
  for (const stop of stops) stop()
  expect(check(conf, podOf(bed, 0, [tcp(8080)]), wide)).toEqual([0, 0])
  expect(check(conf, podOf(bed, 1, [tcp(8080, 80, NODE_IPV4)]), narrow)).toEqual([0, 0])
})

test.for(BACKENDS)('%s: a live UDP flow follows the port to its next pod', (backend) => {
  const bed = makeNode(2)
  const conf = list(bed, { backend })
  const stops = [listen(bed.pods[0] ?? '', 'first', 80), listen(bed.pods[1] ?? '', 'second', 80)]
  const knock = (to: string) =>
    ask({ from: bed.outside, to, port: 5353, protocol: 'udp', sourcePort: 4321 }).split(' ')[0]
  const first = podOf(bed, 0, [udp(5353)])
  const result = add(conf, first)
  settle(bed)
  expect([knock(NODE_IPV4), knock(NODE_IPV6)]).toEqual(['first', 'first'])
  expect(del(conf, first, result)).toEqual([0, 0])
  expect(mustIn(bed.node, ['sh', '-c', 'conntrack -L -p udp --dport 5353 2>/dev/null'])).toBe('')
  expect([knock(NODE_IPV4), knock(NODE_IPV6)]).toEqual(['', ''])
  add(conf, podOf(bed, 1, [udp(5353)]))
  expect([knock(NODE_IPV4), knock(NODE_IPV6)]).toEqual(['second', 'second'])
  for (const stop of stops) stop()
})

test('masqAll hides the outside from the pod; without snat the node does not masquerade at all', () => {
  const bed = makeNode(2)
  add(list(bed, { masqAll: true }), podOf(bed, 0, [tcp(8080)]))
  add(list(bed, { snat: false }), podOf(bed, 1, [tcp(8081)]))
  settle(bed)
  const stops = [listen(bed.pods[0] ?? '', 'web', 80), listen(bed.pods[1] ?? '', 'web', 80)]
  const from = (place: string, to: string, port: number, patience = 5) => ask({ from: place, to, port, patience })
  expect(from(bed.outside, NODE_IPV4, 8080)).toBe(`web ${GATEWAY[4]}`)
  expect(from(bed.outside, NODE_IPV6, 8080)).toBe(`web ${GATEWAY[6]}`)
  expect(from(bed.outside, NODE_IPV4, 8081)).toBe(`web ${OUTSIDE_IPV4}`)
  expect(from(bed.node, '127.0.0.1', 8081, 0.4)).toBe('')
  for (const stop of stops) stop()
})

test('what comes from a pod to 127.0.0.0/8 of the node is dropped, though route_localnet is set', () => {
  const bed = makeNode(1)
  add(list(bed), podOf(bed, 0, [tcp(8080)]))
  const stop = listen(bed.node, 'private', 9999)
  mustIn(bed.pods[0] ?? '', ['sh', '-c', 'ip link set lo down; ip route add 127.0.0.1 via 10.9.0.1'])
  mustIn(bed.pods[0] ?? '', ['sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1'])
  const attack = () => ask({ from: bed.pods[0] ?? '', to: '127.0.0.1', port: 9999, patience: 0.5 })
  expect(attack()).toBe('')
  mustIn(bed.node, ['nft', 'flush', 'chain', 'inet', 'podwire-hostport', 'guard'])
  expect(attack()).toMatch(/^private/)
  stop()
})

test('conditions limit a network, and those of one network leave the ports of another alone', () => {
  const bed = makeNode(3)
  const inner = list(bed, { conditionsV4: ['ip saddr != 192.0.2.0/24'] }, 1)
  const outer = list(bed, { conditionsV4: ['ip saddr', '192.0.2.0/24'] }, 2)
  const [a, b, c] = [podOf(bed, 0, [tcp(8080)]), podOf(bed, 1, [tcp(8080)]), podOf(bed, 2, [tcp(8082)])]
  const results = [add(inner, a), add(outer, b), add(list(bed), c)]
  const stops = ['a', 'b', 'c'].map((name, i) => listen(bed.pods[i] ?? '', name, 80))
  const from = (place: string, port: number) => ask({ from: place, to: NODE_IPV4, port }).split(' ')[0]
  expect([from(bed.outside, 8080), from(bed.pods[2] ?? '', 8080), from(bed.outside, 8082)]).toEqual(['b', 'a', 'c'])
  expect(check(inner, a, results[0])).toEqual([0, 0])
  expect(del(inner, a, results[0])).toEqual([0, 0])
  expect([from(bed.pods[2] ?? '', 8080), from(bed.outside, 8080)]).toEqual(['', 'b'])
  for (const stop of stops) stop()
})
