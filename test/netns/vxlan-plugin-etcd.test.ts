/** `vxlan` with leases in a real etcd, which runs in the namespace `wire` of the bed. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { inside, mustIn, runIn } from '../support/netns.ts'
import { ping, waitFor } from '../support/probe.ts'
import { WIRE_IPV4 } from '../support/underlay.ts'
import { addressIn, makeVxlan, NET_CONF, type VxlanNode } from './vxlan-plugin.bed.ts'

const ENDPOINT = `http://${WIRE_IPV4}:2379`
const etcdctl = (wire: string, ...args: readonly string[]): string =>
  mustIn(wire, ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', ENDPOINT, ...args])

const startEtcd = (wire: string): void => {
  const listen = ['--listen-client-urls', ENDPOINT, '--advertise-client-urls', ENDPOINT]
  const peers = ['--listen-peer-urls', `http://${WIRE_IPV4}:2380`]
  const [file = '', ...args] = inside(wire, ['etcd', '--data-dir', makeFolder('etcd'), ...listen, ...peers])
  const server = spawn(file, args, { stdio: 'ignore' })
  onCleanup(() => server.kill('SIGKILL'))
  const health = ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', ENDPOINT, 'endpoint', 'health']
  if (!waitFor(() => runIn(wire, health).status === 0, 60_000)) throw new Error('etcd did not come up in 60 s')
}

test('pods of two nodes reach each other by leases in etcd, which are flannel’s; without etcd ADD asks to try again', () => {
  const bed = makeVxlan(2, { netConf: undefined, store: { type: 'etcd', etcdEndpoints: ENDPOINT } })
  const [one, two] = bed.nodes as readonly [VxlanNode, VxlanNode]
  const a = one.pod()
  expect(one.call('ADD', a).json).toMatchObject({ code: 11, msg: expect.stringContaining('etcd does not answer') })
  expect(one.call('STATUS', undefined).json).toMatchObject({ code: 50 })
  startEtcd(bed.wire)
  expect(one.call('ADD', a).json).toMatchObject({
    code: 11,
    msg: expect.stringContaining('/coreos.com/network/config'),
  })
  etcdctl(bed.wire, 'put', '/coreos.com/network/config', JSON.stringify(NET_CONF))
  expect(one.call('STATUS', undefined)).toMatchObject({ status: 0, stdout: '' })
  expect(etcdctl(bed.wire, 'get', '--prefix', '/coreos.com/network/subnets')).toBe('')
  one.add(a)
  const result = two.add(two.pod())
  one.add(one.pod())
  expect(ping(a.netns, addressIn(result))).toBe(true)
  const values = etcdctl(bed.wire, 'get', '--prefix', '--print-value-only', '/coreos.com/network/subnets')
  const leases = values.split('\n').map((line) => JSON.parse(line) as { readonly PublicIP: string })
  expect(leases.toSorted((x, y) => (x.PublicIP < y.PublicIP ? -1 : 1))).toMatchObject(
    [one, two].map(({ ipv4 }) => ({ PublicIP: ipv4, BackendType: 'vxlan', BackendData: { VNI: 1 } })),
  )
}, 120_000)

test('another network configuration than etcd’s is refused', () => {
  const bed = makeVxlan(1, { store: { type: 'etcd', etcdEndpoints: ENDPOINT } })
  startEtcd(bed.wire)
  etcdctl(bed.wire, 'put', '/coreos.com/network/config', JSON.stringify({ ...NET_CONF, SubnetLen: 26 }))
  const node = bed.nodes[0] as VxlanNode
  expect(node.call('ADD', node.pod()).json).toMatchObject({
    ...{ code: 7, msg: expect.stringMatching(/^\$\.netConf: is not what the store says/) },
  })
}, 120_000)
