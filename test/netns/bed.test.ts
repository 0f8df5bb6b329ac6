/** The test bed itself, driven with the reference plugins: what the other tests conclude from it must be so. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { addChain, type ConfList, delChain } from '../support/chain.ts'
import { removeOrphans } from '../support/cleanup.ts'
import { must, run } from '../support/command.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { pathOf, shellIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, OUTSIDE_IPV4, OUTSIDE_IPV6 } from '../support/node.ts'
import { callPlugin, REFERENCE } from '../support/plugin.ts'
import { ask, listen, ping, waitFor } from '../support/probe.ts'

test('makeNode() joins the node to a neighbour in both families', () => {
  const { node } = makeNode(0)
  expect([ping(node, OUTSIDE_IPV4), ping(node, OUTSIDE_IPV6), ping(node, '198.51.100.1')]).toEqual([true, true, false])
})

test.for([
  ['tcp', OUTSIDE_IPV4, NODE_IPV4],
  ['tcp', OUTSIDE_IPV6, NODE_IPV6],
  ['udp', OUTSIDE_IPV4, NODE_IPV4],
  ['udp', OUTSIDE_IPV6, NODE_IPV6],
] as const)('ask() over %s of %s hears who answered and how it was seen', ([protocol, to, seen]) => {
  const { node, outside } = makeNode(0)
  const stop = listen(outside, 'web', 8080)
  expect(ask({ from: node, to, port: 8080, protocol })).toBe(`web ${seen}`)
  expect(ask({ from: node, to, port: 8080, protocol, sourcePort: 4321 })).toBe(`web ${seen}`)
  expect(ask({ from: node, to, port: 8081, protocol, patience: 0.3 })).toBe('')
  stop()
})

const LEFT: readonly (readonly [what: string, script: string, section: string])[] = [
  ['a link', 'ip link add left type bridge', 'link'],
  ['an address', 'ip addr add 203.0.113.1/32 dev lo', 'addr'],
  ['a route', 'ip route add blackhole 203.0.113.0/24', 'route'],
  ['a rule', 'ip rule add from 203.0.113.1 lookup 100', 'rule'],
  ['a neighbour', 'ip neigh add 192.0.2.9 lladdr 0e:00:00:00:00:09 dev up0 nud permanent', 'neigh'],
  ['a qdisc', 'tc qdisc add dev up0 root tbf rate 1mbit burst 32k latency 25ms', 'qdisc'],
  [
    'a filter',
    'tc qdisc add dev up0 ingress; tc filter add dev up0 parent ffff: u32 match u32 0 0 action mirred egress redirect dev lo',
    'filter',
  ],
  ['an nft table', 'nft add table inet left', 'nft'],
  ['an iptables-nft rule', 'iptables-nft -A FORWARD -j ACCEPT', 'iptables-nft'],
  ['an ip6tables-legacy rule', 'ip6tables-legacy -A FORWARD -j ACCEPT', 'ip6tables-legacy'],
  ['a sysctl', 'sysctl -qw net.ipv4.ip_forward=1', 'sysctl'],
]

test.for(LEFT)('difference() shows %s', ([, script, section]) => {
  const { node } = makeNode(0)
  const before = snapshot(node)
  shellIn(node, script)
  const found = difference(before, snapshot(node))
  expect(found.map((line) => line.split(' ')[1])).toContain(section)
})

test('snapshot() is the same twice when nothing happened in between', () => {
  const { node, folder } = makeNode(1)
  run(['touch', `${folder}/file`])
  expect(difference(snapshot(node, [folder]), snapshot(node, [folder]))).toEqual([])
})

test('difference() shows a file', () => {
  const { node, folder } = makeNode(0)
  const before = snapshot(node, [folder])
  run(['touch', `${folder}/left`])
  expect(difference(before, snapshot(node, [folder]))).toEqual([`+ file ${folder}/left 0`])
})

test('addChain() and delChain() run a list of the reference plugins, whose DEL leaves what it found', () => {
  const { node, pods, folder } = makeNode(2)
  const [first = '', second = ''] = pods
  const list: ConfList = {
    cniVersion: '1.0.0',
    name: 'bed',
    plugins: [
      {
        type: 'bridge',
        isDefaultGateway: true,
        ipam: { type: 'host-local', subnet: '10.9.0.0/24', dataDir: `${folder}/ipam` },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
  const bed = { bin: REFERENCE, node, ifName: 'eth0' }
  addChain(list, { ...bed, containerID: 'warm-up', netns: first })
  delChain(list, { ...bed, containerID: 'warm-up', netns: first })
  const before = snapshot(node, [folder]).filter((line) => !line.includes('last_reserved_ip'))
  const result = addChain(list, { ...bed, containerID: 'a', netns: second })
  expect(result).toMatchObject({ ips: [{ address: '10.9.0.3/24' }] })
  expect(ping(second, '10.9.0.1')).toBe(true)
  expect(delChain(list, { ...bed, containerID: 'a', netns: second }, result).map((end) => end.status)).toEqual([0, 0])
  const after = snapshot(node, [folder]).filter((line) => !line.includes('last_reserved_ip'))
  expect(difference(before, after)).toEqual([])
})

test('callPlugin() gives the status, the error object and the wrapped command', () => {
  const { node } = makeNode(0)
  const conf = { cniVersion: '1.0.0', name: 'bed', type: 'bridge' }
  const refused = callPlugin({ bin: REFERENCE, node, verb: 'NONSENSE', conf })
  expect(refused).toMatchObject({ status: 1, json: { code: expect.any(Number) } })
  expect(callPlugin({ bin: REFERENCE, node, verb: 'VERSION', conf, wrap: ['false'] })).toMatchObject({
    status: 1,
    stdout: '',
  })
})

test('the namespaces of a bed exist under the path a plugin is given', () => {
  const { node, pods } = makeNode(1)
  expect([node, ...pods].map((name) => existsSync(pathOf(name)))).toEqual([true, true])
})

/** A process that makes a namespace and waits; and what is left of it. */
const makeAndWait = () => {
  const script = `import('${import.meta.dirname}/../support/netns.ts').then(({ makeNetns }) => {
    makeNetns('waiting')
    setInterval(() => {}, 1000)
  })`
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: 'ignore' })
  const left = () => readdirSync('/run/netns').filter((name) => name.startsWith(`pw-${child.pid}-`))
  expect(waitFor(() => left().length === 1)).toBe(true)
  const end = (signal: NodeJS.Signals) =>
    new Promise<void>((resolve) => child.on('close', () => resolve()).kill(signal))
  return { left, end }
}

test.for(['SIGINT', 'SIGTERM'] as const)(
  'a process that makes a bed leaves nothing when %s ends it',
  async (signal) => {
    const { left, end } = makeAndWait()
    await end(signal)
    expect(left()).toEqual([])
  },
)

test('removeOrphans() removes what a killed process has left, and nothing of one that lives', async () => {
  const { node } = makeNode(0)
  const { left, end } = makeAndWait()
  await end('SIGKILL')
  expect(left()).toHaveLength(1)
  removeOrphans()
  expect(left()).toEqual([])
  expect(must(['ip', 'netns', 'list'])).toContain(node)
})
