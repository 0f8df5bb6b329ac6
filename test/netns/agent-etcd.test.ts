/** Two agents on etcd, which runs where the nodes meet: what they write is flannel's, and etcd may go and come. */
import { spawn } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { type Agent, untilReady } from '../support/agent.ts'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { inside, mustIn, runIn } from '../support/netns.ts'
import { startPing } from '../support/pinger.ts'
import { waitFor } from '../support/probe.ts'
import { CONF, makeOverlay, makePod, type OverlayBed, type Pod } from './agent.bed.ts'

const URL = 'http://192.0.2.254:2379'
const PREFIX = '/coreos.com/network'

let bed: OverlayBed
let agents: readonly Agent[]
let pods: readonly Pod[]
let stopEtcd: () => void
let folder: string

const etcdctl = (...args: readonly string[]): string =>
  mustIn(bed.wire, ['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${URL}`, ...args])

const startEtcd = (): (() => void) => {
  const [file = '', ...args] = inside(bed.wire, [
    ...['etcd', '--data-dir', folder, '--listen-client-urls', URL, '--advertise-client-urls', URL],
    ...['--listen-peer-urls', 'http://127.0.0.1:2380', '--log-level', 'error'],
  ])
  const child = spawn(file, args, { stdio: 'ignore' })
  const stop = onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => runIn(bed.wire, ['curl', '-sf', `${URL}/health`]).status === 0, 20_000))
    throw new Error(`etcd does not answer on ${URL} after 20 s`)
  return stop
}

const up = (n: number): Agent => bed.up(n, '--store', 'etcd', '--etcd-endpoints', URL)

beforeAll(() => {
  bed = makeOverlay(2, 'etcd')
  folder = makeFolder('etcd')
  stopEtcd = startEtcd()
  etcdctl('put', `${PREFIX}/config`, JSON.stringify(CONF))
  agents = [up(0), up(1)]
  for (const agent of agents) untilReady(agent, ({ peers }) => peers.length === 1)
  pods = agents.map((agent, n) => makePod(bed.nodes[n]?.netns ?? '', agent, `etcd-pod${n}`))
})

const [FIRST, SECOND] = [0, 1]
const agent = (n: number): Agent => agents[n] as Agent
const pod = (n: number): Pod => pods[n] as Pod

test('leases are in etcd as flanneld writes them, with a term', () => {
  const key = `${PREFIX}/subnets/${agent(FIRST).status()?.lease?.key}`
  const [{ kvs }] = [
    JSON.parse(etcdctl('get', key, '-w', 'json')) as { readonly kvs: readonly [{ value: string; lease: number }] },
  ]
  expect(JSON.parse(Buffer.from(kvs[0].value, 'base64').toString())).toMatchObject({
    PublicIP: '192.0.2.1',
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) },
  })
  expect(kvs[0].lease).not.toBe(0)
})

test('while etcd is away pods lose no packet; afterwards peers come and go again', () => {
  const end = startPing(pod(FIRST).netns, pod(SECOND).ip)
  stopEtcd()
  for (const each of agents) expect(waitFor(() => each.status()?.store.isWatching === false, 20_000)).toBe(true)
  stopEtcd = startEtcd()
  for (const each of agents) expect(waitFor(() => each.status()?.store.isWatching === true, 45_000)).toBe(true)
  expect(end().lost).toBe(0)
  const value = { PublicIP: '192.0.2.60', BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:60' } }
  const routes = (): string => mustIn(bed.nodes[FIRST]?.netns ?? '', ['ip', 'route'])
  etcdctl('put', `${PREFIX}/subnets/10.244.160.0-24`, JSON.stringify(value))
  expect(waitFor(() => routes().includes('10.244.160.0/24'))).toBe(true)
  etcdctl('del', `${PREFIX}/subnets/10.244.160.0-24`)
  expect(waitFor(() => !routes().includes('10.244.160.0/24'))).toBe(true)
})

test('a lease that is deleted under its node is acquired again, the same subnet', () => {
  const { key } = agent(FIRST).status()?.lease ?? {}
  const end = startPing(pod(FIRST).netns, pod(SECOND).ip)
  etcdctl('del', `${PREFIX}/subnets/${key}`)
  expect(
    waitFor(() => etcdctl('get', '--keys-only', '--prefix', `${PREFIX}/subnets`).includes(String(key)), 20_000),
  ).toBe(true)
  untilReady(agent(FIRST), ({ lease }) => lease?.key === key)
  expect(
    waitFor(
      () =>
        agent(SECOND)
          .status()
          ?.peers.some((peer) => peer.key === key) === true,
    ),
  ).toBe(true)
  expect(end().sent).toBeGreaterThan(0)
})
