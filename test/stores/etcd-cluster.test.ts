/** Two nodes with the shipped executable and one as flanneld makes it, on one etcd with TLS and users:
 *
 *      pod 1 ---- node 1 ==== wire ==== node 2 ---- pod 2
 *                               |  etcd, 192.0.2.254
 *                             node 3, by hand: 10.5.3.1
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makePki, type Pki } from '../kubernetes/pki.ts'
import { makePod, type Pod } from '../netns/agent.bed.ts'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { mustIn, shellIn } from '../support/netns.ts'
import { startPing } from '../support/pinger.ts'
import { ping, waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayBed, WIRE_IPV4 } from '../support/underlay.ts'
import { type Etcd, startEtcd } from './etcd-server.ts'

const SUBNETS = '/coreos.com/network/subnets'
const FLANNEL_MAC = '0e:11:22:33:44:55'

let bed: UnderlayBed
let etcd: Etcd
let agents: readonly [Agent, Agent]
let pods: readonly [Pod, Pod]
const netnsOf = (n: number): string => bed.nodes[n - 1]?.netns ?? ''

const startCluster = async (pki: Pki): Promise<readonly string[]> => {
  const server = pki.server('etcd', [WIRE_IPV4])
  const client = pki.client('podwire', 'nodes')
  etcd = await startEtcd({
    ...{ netns: bed.wire, address: WIRE_IPV4, scheme: 'https' },
    flags: [
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
      `--trusted-ca-file=${pki.ca}`,
      '--client-cert-auth',
    ],
    control: [`--cacert=${pki.ca}`, `--cert=${client.cert}`, `--key=${client.key}`, '--user=root:root'],
  })
  etcd.control('user', 'add', 'root:root')
  etcd.control('user', 'grant-role', 'root', 'root')
  etcd.control('role', 'add', 'network')
  etcd.control('role', 'grant-permission', 'network', '--prefix=true', 'readwrite', '/coreos.com/network/')
  etcd.control('user', 'add', 'node:secret')
  etcd.control('user', 'grant-role', 'node', 'network')
  etcd.control('put', '/coreos.com/network/config', '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}')
  etcd.control('auth', 'enable')
  const certificates = ['--etcd-cafile', pki.ca, '--etcd-certfile', client.cert, '--etcd-keyfile', client.key]
  return [
    '--store',
    'etcd',
    '--etcd-endpoints',
    etcd.url,
    ...certificates,
    '--etcd-username',
    'node',
    '--etcd-password',
    'secret',
  ]
}

/** As pkg/subnet/etcd/registry.go `createSubnet` puts it. */
const putFlannelLease = (): void => {
  const term = /lease ([0-9a-f]+) /.exec(etcd.control('lease', 'grant', '86400'))?.[1]
  const data = `"BackendData":{"VNI":1,"VtepMAC":"${FLANNEL_MAC}"}`
  const value = `{"PublicIP":"192.0.2.3","PublicIPv6":null,"BackendType":"vxlan",${data}}`
  etcd.control('put', `--lease=${term}`, `${SUBNETS}/10.5.3.0-24`, value)
}

/** pkg/subnet/subnet.go `subnetRegex`. */
const FLANNEL_KEY = /(\d+\.\d+.\d+.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$/

/** What flanneld makes of the leases of the others: Documentation/backends.md, pkg/backend/vxlan. */
const actAsFlanneld = (): void => {
  shellIn(
    netnsOf(3),
    `ip link add flannel.1 address ${FLANNEL_MAC} mtu 1450 type vxlan id 1 local 192.0.2.3 dev eth0 dstport 8472 nolearning
     ip link set flannel.1 up; ip addr add 10.5.3.0/32 dev flannel.1; ip addr add 10.5.3.1/32 dev lo`,
  )
  const lines = etcd.control('get', '--prefix', SUBNETS).split('\n')
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [, base, length] = FLANNEL_KEY.exec(lines[i] ?? '') ?? []
    const { PublicIP, BackendData } = JSON.parse(lines[i + 1] ?? '')
    if (PublicIP === '192.0.2.3') continue
    shellIn(
      netnsOf(3),
      `ip neigh add ${base} lladdr ${BackendData.VtepMAC} dev flannel.1 nud permanent
       bridge fdb add ${BackendData.VtepMAC} dev flannel.1 dst ${PublicIP}
       ip route add ${base}/${length} via ${base} dev flannel.1 onlink`,
    )
  }
}

beforeAll(async () => {
  bed = makeUnderlay(3, 'etcd')
  const args = await startCluster(makePki())
  putFlannelLease()
  const start = (n: number): Agent => startAgent({ netns: netnsOf(n), args: [...args, '--probe-interval', '0'] })
  agents = [start(1), start(2)]
  for (const agent of agents) untilReady(agent, ({ peers }) => peers.length === 2)
  pods = [makePod(netnsOf(1), agents[0], 'pod1'), makePod(netnsOf(2), agents[1], 'pod2')]
  actAsFlanneld()
})
afterAll(() => etcd.kill())

test('pods of all nodes reach each other', () => {
  expect(ping(pods[0].netns, pods[1].ip)).toBe(true)
  for (const pod of pods) {
    expect(ping(pod.netns, '10.5.3.1')).toBe(true)
    expect(ping(netnsOf(3), pod.ip)).toBe(true)
  }
})

test('no packet is lost while etcd is killed and started again', async () => {
  const stop = startPing(pods[0].netns, pods[1].ip)
  await etcd.kill()
  const isWatching = (wanted: boolean): boolean =>
    waitFor(() => agents.every((agent) => agent.status()?.store.isWatching === wanted), 60_000)
  expect(isWatching(false)).toBe(true)
  expect(agents.map((agent) => agent.status()?.peers.length)).toEqual([2, 2])
  await etcd.start()
  expect(isWatching(true)).toBe(true)
  expect(stop().lost).toBe(0)
})

test('a node whose flanneld ends its lease is forgotten, and known again when it is back', () => {
  const routes = (): string => mustIn(netnsOf(1), ['ip', 'route', 'show', '10.5.3.0/24'])
  expect(routes()).toContain('via 10.5.3.0 dev flannel.1')
  etcd.control('del', `${SUBNETS}/10.5.3.0-24`)
  expect(waitFor(() => routes() === '', 20_000)).toBe(true)
  putFlannelLease()
  expect(waitFor(() => routes() !== '', 20_000)).toBe(true)
  expect(ping(pods[0].netns, '10.5.3.1')).toBe(true)
})

test('a node whose lease is removed under it has one again', () => {
  const before = agents[0].status()?.lease?.key
  etcd.control('del', `${SUBNETS}/${before}`)
  const values = (): string => etcd.control('get', '--prefix', '--print-value-only', SUBNETS)
  expect(waitFor(() => values().includes('"PublicIP":"192.0.2.1"'), 30_000)).toBe(true)
  untilReady(agents[0])
})
