/** The agent with the file store and vxlan on real nodes: what it makes, what it mends, what it never takes away. */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Agent } from '../support/agent.ts'
import { untilReady } from '../support/agent.ts'
import { must } from '../support/command.ts'
import { mustIn, runIn, shellIn } from '../support/netns.ts'
import { startPing } from '../support/pinger.ts'
import { ask, listen, ping, waitFor } from '../support/probe.ts'
import { makeOverlay, makePod, type OverlayBed, type Pod, subnetEnv } from './agent.bed.ts'

const ROUTES = ['ip', 'route', 'show', 'dev', 'flannel.1']
const NEIGHS = ['ip', 'neigh', 'show', 'dev', 'flannel.1', 'nud', 'permanent']
const FDB = ['bridge', 'fdb', 'show', 'dev', 'flannel.1']

/** What the overlay's device holds, a line each. */
const held = (netns: string): readonly string[] =>
  [ROUTES, NEIGHS, FDB, ['ip', '-br', '-4', 'addr', 'show', 'dev', 'flannel.1']]
    .flatMap((command) => runIn(netns, command).stdout.split('\n'))
    .map((line) => line.trim().replaceAll(/ +/g, ' '))
    .filter((line) => line !== '' && !line.startsWith('33:33') && !line.startsWith('01:00:5e'))
    .sort()

/** A lease as flanneld writes it (pkg/lease LeaseAttrs), in a file of the store. */
const peerFile = (store: string, subnet: string, publicIP: string, mac: string, more: object = {}): void => {
  const value = { PublicIP: publicIP, BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: mac }, ...more }
  const path = `${store}/subnets/${subnet.replace('/', '-')}.json`
  writeFileSync(`${path}.tmp`, JSON.stringify(value))
  renameSync(`${path}.tmp`, path)
}
const removePeer = (store: string, subnet: string): void => rmSync(`${store}/subnets/${subnet.replace('/', '-')}.json`)

describe('two nodes', () => {
  let bed: OverlayBed
  let agents: readonly Agent[]
  let pods: readonly Pod[]
  const node = (n: number): string => bed.nodes[n]?.netns ?? ''
  const agent = (n: number): Agent => agents[n] as Agent
  const pod = (n: number): Pod => pods[n] as Pod

  beforeAll(() => {
    bed = makeOverlay(2, 'two')
    agents = [bed.up(0, '--ip-masq'), bed.up(1, '--ip-masq')]
    untilReady(agent(0), ({ peers }) => peers.length === 1)
    pods = agents.map((each, n) => makePod(node(n), each, `two-pod${n}`))
  })

  test('pods reach each other with their own addresses, at the full MTU', () => {
    listen(pod(1).netns, 'pod2', 8080)
    expect(ask({ from: pod(0).netns, to: pod(1).ip, port: 8080 })).toBe(`pod2 ${pod(0).ip}`)
    mustIn(pod(0).netns, ['ping', '-n', '-c', '1', '-W', '2', '-M', 'do', '-s', '1422', pod(1).ip])
  })

  test('subnet.env says what flanneld would say', () => {
    const [lease] = agents.map((each) => each.status()?.lease)
    expect(subnetEnv(agent(0))).toMatchObject({
      FLANNEL_NETWORK: '10.244.0.0/16',
      FLANNEL_SUBNET: lease?.subnet?.replace(/0\/24$/, '1/24'),
      FLANNEL_MTU: '1450',
      FLANNEL_IPMASQ: 'true',
    })
  })

  test('a pod reaches the outside with the address of its node', () => {
    listen(bed.wire, 'outside', 8081)
    expect(ask({ from: pod(0).netns, to: '192.0.2.254', port: 8081 })).toBe('outside 192.0.2.1')
  })

  test('a second agent on the node is refused and names the first', () => {
    const second = bed.start(0)
    expect(waitFor(() => second.log().includes('another agent runs'))).toBe(true)
    expect(second.log()).toContain(`process id ${agent(0).pid}`)
    expect(agent(0).status()?.isReady).toBe(true)
  })

  test('kill -9 and a new start lose no packet, and change nothing', () => {
    const before = held(node(0))
    const end = startPing(pod(0).netns, pod(1).ip)
    agent(0).end('SIGKILL')
    agents = [bed.up(0, '--ip-masq'), agent(1)]
    expect(agent(0).status()?.passes.first).toMatchObject({ changes: 0 })
    expect(end().lost).toBe(0)
    expect(held(node(0))).toEqual(before)
  })

  test('SIGTERM leaves the data path and subnet.env', () => {
    const before = held(node(0))
    const started = Date.now()
    agent(0).end('SIGTERM')
    expect(Date.now() - started).toBeLessThan(5000)
    expect(held(node(0))).toEqual(before)
    expect(ping(pod(0).netns, pod(1).ip)).toBe(true)
    expect(subnetEnv(agent(0))['FLANNEL_MTU']).toBe('1450')
    agents = [bed.up(0, '--ip-masq'), agent(1)]
  })

  test('a deleted device comes back with everything, and status tells of it', () => {
    const before = held(node(0))
    expect(before.length).toBeGreaterThan(3)
    shellIn(node(0), 'ip link del flannel.1')
    expect(waitFor(() => held(node(0)).join('\n') === before.join('\n'))).toBe(true)
    expect(ping(pod(0).netns, pod(1).ip)).toBe(true)
    expect(agent(0).status()?.drift).toContainEqual(
      expect.objectContaining({ why: 'missing', what: expect.stringContaining('ip link add flannel.1') }),
    )
  })

  test.each([
    ['a route', () => must([...inNode(0), ...ROUTES.with(2, 'flush')])],
    ['a neighbour', () => must([...inNode(0), ...NEIGHS.with(2, 'flush').slice(0, 5), 'nud', 'permanent'])],
    [
      'a forwarding entry',
      () =>
        shellIn(node(0), `${FDB.join(' ')} | while read m x; do bridge fdb del $m dev flannel.1 dst 192.0.2.2; done`),
    ],
    ['the device, set down', () => shellIn(node(0), 'ip link set flannel.1 down')],
    ['the nft table', () => shellIn(node(0), 'nft delete table inet podwire-overlay')],
  ])('%s that somebody takes away comes back', (_, take) => {
    const state = (): string => [...held(node(0)), runIn(node(0), ['nft', 'list', 'ruleset']).stdout].join('\n')
    const before = state()
    take()
    expect(waitFor(() => state() === before)).toBe(true)
  })
  const inNode = (n: number): readonly string[] => ['nsenter', `--net=/run/netns/${node(n)}`]

  test('what others put on the device stays', () => {
    shellIn(
      node(0),
      `ip route add 10.99.0.0/16 dev flannel.1 proto static
       ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent
       bridge fdb append 02:00:00:00:00:99 dev flannel.1 dst 192.0.2.99`,
    )
    peerFile(bed.store, '10.244.200.0/24', '192.0.2.200', '02:00:00:00:02:00')
    expect(waitFor(() => held(node(0)).some((line) => line.includes('192.0.2.200')))).toBe(true)
    removePeer(bed.store, '10.244.200.0/24')
    expect(waitFor(() => !held(node(0)).some((line) => line.includes('192.0.2.200')))).toBe(true)
    expect(held(node(0)).filter((line) => line.includes('99'))).toHaveLength(3)
    shellIn(node(0), 'ip route del 10.99.0.0/16 dev flannel.1; ip neigh del 10.99.0.1 dev flannel.1')
    shellIn(node(0), 'bridge fdb del 02:00:00:00:00:99 dev flannel.1 dst 192.0.2.99')
  })

  test('peers that go while the agent is down are gone with its first pass; what others put there stays', () => {
    peerFile(bed.store, '10.244.201.0/24', '192.0.2.201', '02:00:00:00:02:01')
    expect(waitFor(() => held(node(0)).some((line) => line.includes('10.244.201.0/24')))).toBe(true)
    agent(0).end('SIGKILL')
    removePeer(bed.store, '10.244.201.0/24')
    shellIn(node(0), 'ip route add 10.98.0.0/16 dev flannel.1 proto static')
    agents = [bed.up(0, '--ip-masq'), agent(1)]
    expect(held(node(0)).filter((line) => /201|02:01/.test(line))).toEqual([])
    expect(held(node(0)).filter((line) => line.includes('10.98.0.0/16'))).toHaveLength(1)
    shellIn(node(0), 'ip route del 10.98.0.0/16 dev flannel.1')
  })

  test('leases that cannot be right are named and never programmed; the others are not disturbed', () => {
    const before = held(node(0))
    const own = agent(1).status()?.lease?.subnet ?? ''
    peerFile(bed.store, '0.0.0.0/0', '192.0.2.50', '02:00:00:00:00:50')
    peerFile(bed.store, '172.16.5.0/24', '192.0.2.51', '02:00:00:00:00:51')
    peerFile(bed.store, '10.244.210.0/24', '192.0.2.1', '02:00:00:00:00:52')
    peerFile(bed.store, '10.244.211.0/24', '192.0.2.53', '01:00:5e:00:00:53')
    peerFile(bed.store, own.replace('0/24', '128/25'), '192.0.2.54', '02:00:00:00:00:54')
    writeFileSync(`${bed.store}/subnets/10.244.212.0-24.json`, '{"PublicIP": 7')
    const keys = (): readonly string[] => (agent(0).status()?.rejected ?? []).map(({ key }) => key)
    expect(waitFor(() => keys().length === 6, 15_000)).toBe(true)
    expect(held(node(0))).toEqual(before)
    expect(agent(0).log()).toMatch(/"key":"172\.16\.5\.0-24","why":"[^"]*not inside the network 10\.244\.0\.0\/16/)
    for (const file of readdirSync(`${bed.store}/subnets`))
      if (keys().some((key) => file === `${key}.json`)) rmSync(`${bed.store}/subnets/${file}`)
    expect(waitFor(() => keys().length === 0)).toBe(true)
  })

  test('while the store is away everything stays, and pods are not cut off', () => {
    const before = held(node(0))
    const end = startPing(pod(0).netns, pod(1).ip)
    renameSync(`${bed.store}/subnets`, `${bed.store}/away`)
    expect(waitFor(() => agent(0).status()?.store.isWatching === false, 15_000)).toBe(true)
    expect(held(node(0))).toEqual(before)
    renameSync(`${bed.store}/away`, `${bed.store}/subnets`)
    expect(waitFor(() => agent(0).status()?.store.isWatching === true, 45_000)).toBe(true)
    expect(held(node(0))).toEqual(before)
    expect(end().lost).toBe(0)
  })

  test('a network configuration that is wrong is refused while the one before works; passes lose no packet', () => {
    const before = held(node(0))
    agent(0).end()
    agents = [bed.up(0, '--ip-masq', '--resync', '1'), agent(1)]
    const end = startPing(pod(0).netns, pod(1).ip)
    writeFileSync(
      `${bed.store}/config.json`,
      '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 16777216}}',
    )
    expect(waitFor(() => agent(0).status()?.netConfRefused?.includes('VNI') === true)).toBe(true)
    expect(agent(0).status()?.isReady).toBe(true)
    const pass = agent(0).status()?.passes.lastResync
    expect(waitFor(() => agent(0).status()?.passes.lastResync !== pass)).toBe(true)
    expect(held(node(0))).toEqual(before)
    expect(end().lost).toBe(0)
    agent(0).end()
    const refused = bed.start(0, '--ip-masq')
    expect(waitFor(() => refused.log().includes('16777216'))).toBe(true)
    expect(held(node(0))).toEqual(before)
  })
})
