/** `podwire node status` and `node ping` of nodes whose agents run: what they say while a peer is there, is cut off, and comes
 *  back, and of what was mended. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AgentStatus } from '../../agent/status.ts'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import { must, type Output } from '../support/command.ts'
import { runIn, shellIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

interface Member {
  readonly node: UnderlayNode
  readonly agent: Agent
}

const nodeCommand = ({ node, agent }: Member, ...args: readonly string[]): Output =>
  runIn(node.netns, [PODWIRE, 'node', ...args, '--run-dir', `${agent.folder}/run`])

const makeStore = (): string => {
  const store = makeFolder('store')
  mkdirSync(`${store}/subnets`)
  writeFileSync(`${store}/config.json`, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}')
  return store
}

const makeMembers = (store: string): { readonly wire: string; readonly members: readonly [Member, Member] } => {
  const { wire, nodes } = makeUnderlay(2, 'status')
  const [a, b] = nodes.map((node) => ({
    node,
    agent: startAgent({ netns: node.netns, args: ['--store-dir', store, '--probe-interval', '1'] }),
  }))
  if (a === undefined || b === undefined) throw new Error('the bed has two nodes')
  for (const { agent } of [a, b]) untilReady(agent, ({ peers }) => peers.length === 1)
  return { wire, members: [a, b] }
}

const isReachable = ({ agent }: Member): boolean | undefined => agent.status()?.peers[0]?.probe?.isReachable

test('podwire node status and ping follow what happens to a peer, and tell what was mended and what is not believed', () => {
  const store = makeStore()
  const { wire, members } = makeMembers(store)
  const [a, b] = members
  expect(waitFor(() => isReachable(a) === true, 30_000)).toBe(true)
  const own = a.agent.status()?.lease?.subnet
  const peer = b.agent.status()?.lease
  const first = nodeCommand(a, 'status')
  expect(first).toMatchObject({ status: 0, stderr: '' })
  expect(first.stdout).toMatch(/^agent +ready \(pid \d+, podwire /)
  expect(first.stdout).toContain(`lease      ${own}, expires in 23 h, MTU 1450\ndevices    flannel.1\n`)
  expect(first.stdout).toMatch(
    new RegExp(`\\n${peer?.key} +${peer?.subnet} +192\\.0\\.2\\.2 +yes +\\S+ ms +\\d+ s ago\\n`),
  )
  expect(nodeCommand(a, 'ping')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('1 of 1 path to peers ok'),
  })

  must(['ip', '-n', wire, 'link', 'set', b.node.port, 'down'])
  expect(waitFor(() => isReachable(a) === false, 30_000)).toBe(true)
  expect(nodeCommand(a, 'status').stdout).toMatch(new RegExp(`\\n${peer?.key} .* NO +- +\\d+ s ago\\n`))
  const cut = nodeCommand(a, 'ping', peer?.key ?? '')
  expect(cut).toMatchObject({ status: 1, stdout: expect.stringContaining('UNDERLAY: 192.0.2.2 does not answer') })
  must(['ip', '-n', wire, 'link', 'set', b.node.port, 'up'])
  expect(waitFor(() => isReachable(a) === true, 30_000)).toBe(true)

  shellIn(a.node.netns, `ip route del ${peer?.subnet}`)
  writeFileSync(`${store}/subnets/10.99.0.0-24.json`, '{"PublicIP":"192.0.2.77","BackendType":"vxlan"}')
  expect(waitFor(() => a.agent.status()?.drift.length === 1 && a.agent.status()?.rejected.length === 1, 30_000)).toBe(
    true,
  )
  const last = nodeCommand(a, 'status').stdout
  expect(last).toMatch(/\nREJECTED LEASE +WHY\n10\.99\.0\.0-24 +\S/)
  expect(last).toMatch(
    new RegExp(`\\nDRIFT +WAS +MENDED IN +FACT\\n\\d+ s ago +missing +\\S+ ms +ip route add ${peer?.subnet} `),
  )
  const json = JSON.parse(nodeCommand(a, 'status', '--json').stdout) as AgentStatus
  expect(json).toMatchObject({ isReady: true, rejected: [{ key: '10.99.0.0-24' }], drift: [{ why: 'missing' }] })
  rmSync(`${store}/subnets/10.99.0.0-24.json`)

  a.agent.end()
  const without = nodeCommand(a, 'status')
  expect(without.stderr).toContain('no agent runs on this node')
  expect(without).toMatchObject({ status: 1, stdout: expect.stringContaining('flannel.1') })
})
