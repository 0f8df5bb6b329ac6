/** The store against a server of our own that speaks as kube-apiserver does; `npm run kubernetes` puts it in front of a real
 *  one. */
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { type ApiServer, startApiServer } from '../../test/kubernetes/api-server.ts'
import { bareNode, flannelAnnotations, flannelNode, vxlanAnnotations } from '../../test/kubernetes/node-object.ts'
import { makeFolder } from '../../test/support/cleanup.ts'
import { type KubernetesStoreOptions, openKubernetesStore } from './kubernetes.ts'
import { type Claim, LeaseLost, type LeaseStore, StoreError } from './store.ts'

const conf = parseNetConf('{"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}}')
const dual = parseNetConf(
  '{"Network": "10.0.0.0/8", "EnableIPv6": true, "IPv6Network": "fd00:10::/48", "Backend": {"Type": "vxlan"}}',
)
const claim: Claim = {
  publicIP: '192.0.2.7' as Ip,
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: '0e:f1:00:00:00:07' as Mac },
  v6Data: {},
  previous: [],
}
const dualClaim: Claim = {
  ...claim,
  publicIPv6: '2001:db8::7' as Ip,
  v6Data: { vni: 1, vtepMac: '0e:f1:00:00:06:07' as Mac },
}
const { signal } = new AbortController()

let server: ApiServer
beforeEach(async () => {
  server = await startApiServer()
})
afterEach(() => server.stop())

const storeWith = (options: Partial<KubernetesStoreOptions> = {}): LeaseStore =>
  openKubernetesStore({
    kubeconfigFile: '',
    kubeApiUrl: server.url,
    kubeAnnotationPrefix: 'flannel.alpha.coreos.com',
    kubeNodeName: 'n7',
    netConfigPath: '/nonexistent/net-conf.json',
    setNodeNetworkUnavailable: true,
    env: {},
    ...options,
  })

const annotationsOf = (name: string) => server.nodes.get(name)?.metadata.annotations
const patches = () => server.asked.filter(({ line }) => line.startsWith('PATCH'))

test('acquire() takes the podCIDR and annotates the Node as flanneld does', async () => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  const own = await storeWith().acquire(claim, conf, signal)
  expect(own).toEqual({
    lease: {
      key: 'n7',
      subnet: '10.0.7.0/24',
      publicIP: '192.0.2.7',
      backendType: 'vxlan',
      data: { vni: 1, vtepMac: '0e:f1:00:00:00:07' },
      v6Data: {},
    },
  })
  expect(annotationsOf('n7')).toEqual(vxlanAnnotations(7))
  expect(patches()).toMatchObject([
    { line: 'PATCH /api/v1/nodes/n7/status', contentType: 'application/strategic-merge-patch+json' },
  ])
})

test('acquire() with both families writes both', async () => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24', 'fd00:10:0:7::/64'))
  const { lease } = await storeWith().acquire(dualClaim, dual, signal)
  expect(lease).toMatchObject({ subnet: '10.0.7.0/24', ipv6Subnet: 'fd00:10:0:7::/64', publicIPv6: '2001:db8::7' })
  expect(annotationsOf('n7')).toEqual({
    ...vxlanAnnotations(7),
    ...flannelAnnotations({
      'backend-v6-data': '{"VNI":1,"VtepMAC":"0e:f1:00:00:06:07"}',
      'public-ipv6': '2001:db8::7',
    }),
  })
})

const { publicIP: _, ...withoutIPv4 } = dualClaim
test.for<[string, Claim, Readonly<Record<string, string>>]>([
  [
    'host-gw',
    { ...claim, backendType: 'host-gw', data: {} },
    { 'backend-type': 'host-gw', 'backend-data': 'null', 'public-ip': '192.0.2.7' },
  ],
  [
    'host-gw in both families',
    { ...dualClaim, backendType: 'host-gw', data: {}, v6Data: {} },
    {
      'backend-type': 'host-gw',
      'backend-data': 'null',
      'public-ip': '192.0.2.7',
      'backend-v6-data': 'null',
      'public-ipv6': '2001:db8::7',
    },
  ],
  [
    'vxlan with IPv6 alone',
    { ...withoutIPv4, data: {} },
    {
      'backend-type': 'vxlan',
      'backend-v6-data': '{"VNI":1,"VtepMAC":"0e:f1:00:00:06:07"}',
      'public-ipv6': '2001:db8::7',
    },
  ],
  [
    'ipip',
    { ...claim, backendType: 'ipip', data: {} },
    { 'backend-type': 'ipip', 'backend-data': 'null', 'public-ip': '192.0.2.7' },
  ],
  [
    'wireguard',
    { ...claim, backendType: 'wireguard', data: { publicKey: 'k', port: 51820 } },
    { 'backend-type': 'wireguard', 'backend-data': '{"PublicKey":"k","Port":51820}', 'public-ip': '192.0.2.7' },
  ],
])('the annotations of %s are flanneld’s', async ([, wanted, values]) => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  await storeWith().acquire(wanted, conf, signal)
  expect(annotationsOf('n7')).toEqual(flannelAnnotations({ ...values, 'kube-subnet-manager': 'true' }))
})

test('acquire() on a node that flanneld ran on writes what differs and no more', async () => {
  server.nodes.put(flannelNode(7))
  const store = storeWith({ kubeNodeName: 'node-7' })
  await store.acquire(claim, conf, signal)
  expect(patches()).toEqual([])
  await store.acquire({ ...claim, data: { vni: 2, vtepMac: '0e:f1:00:00:00:07' as Mac } }, conf, signal)
  expect(patches().map(({ body }) => JSON.parse(body))).toEqual([
    { metadata: { annotations: flannelAnnotations({ 'backend-data': '{"VNI":2,"VtepMAC":"0e:f1:00:00:00:07"}' }) } },
  ])
})

test('annotations of others stay', async () => {
  const node = bareNode('n7', '10.0.7.0/24')
  server.nodes.put({ ...node, metadata: { ...node.metadata, annotations: { 'example.com/rack': '7' } } })
  await storeWith().acquire(claim, conf, signal)
  expect(annotationsOf('n7')).toEqual({ ...vxlanAnnotations(7), 'example.com/rack': '7' })
})

test('public-ip-overwrite precedes the node’s own address', async () => {
  const node = bareNode('n7', '10.0.7.0/24', 'fd00:10:0:7::/64')
  const overwrite = flannelAnnotations({
    'public-ip-overwrite': '203.0.113.7',
    'public-ipv6-overwrite': '2001:db8:f::7',
  })
  server.nodes.put({ ...node, metadata: { ...node.metadata, annotations: overwrite } })
  const { lease } = await storeWith().acquire(dualClaim, dual, signal)
  expect(lease).toMatchObject({ publicIP: '203.0.113.7', publicIPv6: '2001:db8:f::7' })
  expect(annotationsOf('n7')).toMatchObject(
    flannelAnnotations({ 'public-ip': '203.0.113.7', 'public-ipv6': '2001:db8:f::7' }),
  )
})

test('an overwrite that is no address is refused, and nothing is written', async () => {
  const node = bareNode('n7', '10.0.7.0/24')
  const overwrite = flannelAnnotations({ 'public-ip-overwrite': 'nat.example.com' })
  server.nodes.put({ ...node, metadata: { ...node.metadata, annotations: overwrite } })
  const act = storeWith().acquire(claim, conf, signal)
  await expect(act).rejects.toThrow(StoreError)
  await expect(act).rejects.toThrow(
    'node n7: flannel.alpha.coreos.com/public-ip-overwrite: "nat.example.com" is not an IPv4 address',
  )
  expect(patches()).toEqual([])
})

test.for<[string, readonly string[], typeof conf, string]>([
  ['no podCIDR', [], conf, 'node n7 has no IPv4 podCIDR, and EnableIPv4 is true: kube-controller-manager'],
  ['no podCIDR of a family that is wanted', ['10.0.7.0/24'], dual, 'node n7 has no IPv6 podCIDR, and EnableIPv6 is'],
  [
    'a podCIDR outside the network',
    ['172.16.0.0/24'],
    conf,
    'the podCIDR 172.16.0.0/24, which is not inside Network 10.0.0.0/8',
  ],
  ['a podCIDR larger than the network', ['0.0.0.0/0'], conf, '0.0.0.0/0, which is not inside Network'],
  ['a podCIDR that is none', ['10.0.7/24'], conf, 'node n7: spec.podCIDRs: "10.0.7/24" is no prefix'],
])('acquire() says what is wrong with %s', async ([, podCIDRs, netConf, words]) => {
  server.nodes.put(bareNode('n7', ...podCIDRs))
  const act = storeWith().acquire(claim, netConf, signal)
  await expect(act).rejects.toThrow(StoreError)
  await expect(act).rejects.toThrow(words)
  expect(patches()).toEqual([])
})

test('acquire() of a node that does not exist says what the server says', async () => {
  await expect(storeWith().acquire(claim, conf, signal)).rejects.toThrow(
    `GET ${server.url}/api/v1/nodes/n7: the answer is 404, nodes "n7" not found`,
  )
})

test('renew() publishes what has changed, and loses the lease with the podCIDR', async () => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  const store = storeWith()
  const own = await store.acquire(claim, conf, signal)
  const moved = await store.renew(own, { ...claim, publicIP: '192.0.2.77' as Ip }, signal)
  expect(moved.lease).toEqual({ ...own.lease, publicIP: '192.0.2.77' })
  expect(annotationsOf('n7')).toMatchObject(flannelAnnotations({ 'public-ip': '192.0.2.77' }))
  server.nodes.put(bareNode('n7', '10.0.8.0/24'))
  const act = store.renew(moved, claim, signal)
  await expect(act).rejects.toThrow(LeaseLost)
  await expect(act).rejects.toThrow('node n7 has other podCIDRs now: 10.0.8.0/24')
})

test('renew() mends annotations that somebody took away', async () => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  const store = storeWith()
  const own = await store.acquire(claim, conf, signal)
  server.nodes.patch('n7', { metadata: { annotations: flannelAnnotations({ 'backend-data': '{}' }) } })
  expect(await store.renew(own, claim, signal)).toEqual(own)
  expect(annotationsOf('n7')).toEqual(vxlanAnnotations(7))
})

test('--kube-annotation-prefix names the annotations', async () => {
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  await storeWith({ kubeAnnotationPrefix: 'example.com/pods' }).acquire(claim, conf, signal)
  expect(Object.keys(annotationsOf('n7') ?? {})).toContain('example.com/pods-backend-data')
  expect(() => storeWith({ kubeAnnotationPrefix: 'a/b/c' })).toThrow('kube-annotation-prefix: "a/b/c"')
})

test.for<[string, Partial<KubernetesStoreOptions>]>([
  ['--kube-node-name', { kubeNodeName: 'n9', env: { NODE_NAME: 'n7' } }],
  ['NODE_NAME', { kubeNodeName: '', env: { NODE_NAME: 'n9', POD_NAME: 'p', POD_NAMESPACE: 's' } }],
  ['the pod', { kubeNodeName: '', env: { POD_NAME: 'podwire-x', POD_NAMESPACE: 'podwire' } }],
])('the node’s name is from %s', async ([, options]) => {
  server.pods.set('podwire/podwire-x', 'n9')
  server.nodes.put(bareNode('n9', '10.0.9.0/24'))
  expect((await storeWith(options).acquire(claim, conf, signal)).lease.key).toBe('n9')
})

test.for<[Readonly<Record<string, string>>, string]>([
  [{}, 'give --kube-node-name, or NODE_NAME, or POD_NAME and POD_NAMESPACE'],
  [{ POD_NAME: 'p' }, 'give --kube-node-name'],
  [{ POD_NAME: 'gone', POD_NAMESPACE: 'podwire' }, 'the answer is 404, pods "gone" not found'],
  [
    { POD_NAME: 'new', POD_NAMESPACE: 'podwire' },
    'the pod podwire/new (POD_NAMESPACE, POD_NAME) is scheduled to no node',
  ],
])('without a node’s name, in %j', async ([env, words]) => {
  server.pods.set('podwire/new', '')
  await expect(storeWith({ kubeNodeName: '', env }).acquire(claim, conf, signal)).rejects.toThrow(words)
})

test('reportReady() clears the condition NetworkUnavailable and leaves other conditions', async () => {
  const ready = { type: 'Ready', status: 'True' }
  server.nodes.put({
    ...bareNode('n7'),
    status: { conditions: [ready, { type: 'NetworkUnavailable', status: 'True' }] },
  })
  await storeWith({ setNodeNetworkUnavailable: false }).reportReady?.(signal)
  expect(patches()).toEqual([])
  await storeWith().reportReady?.(signal)
  expect(server.nodes.get('n7')?.status?.conditions).toEqual([
    ready,
    expect.objectContaining({
      type: 'NetworkUnavailable',
      status: 'False',
      lastHeartbeatTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    }),
  ])
})

test('publicAddresses() are those that somebody set on the Node', async () => {
  const node = bareNode('n7')
  const set = flannelAnnotations({ 'node-public-ip': '192.0.2.70' })
  server.nodes.put({ ...node, metadata: { ...node.metadata, annotations: set } })
  expect(await storeWith().publicAddresses?.(signal)).toEqual({ publicIP: '192.0.2.70' })
})

test('readNetConf() is the text of the file', async () => {
  const path = `${makeFolder('net-conf')}/net-conf.json`
  const store = storeWith({ netConfigPath: path })
  await expect(store.readNetConf(signal)).rejects.toThrow(StoreError)
  await expect(store.readNetConf(signal)).rejects.toThrow(
    `(--net-config-path): ENOENT: no such file or directory, open '${path}'`,
  )
  writeFileSync(path, '{"Network": "10.0.0.0/8"}\n')
  expect(await store.readNetConf(signal)).toBe('{"Network": "10.0.0.0/8"}\n')
})

test('no more is asked for than the manifest grants', async () => {
  server.conduct.rights = ['get nodes', 'list nodes', 'watch nodes', 'patch nodes/status']
  server.nodes.put(bareNode('n7', '10.0.7.0/24'))
  const store = storeWith()
  await store.acquire(claim, conf, signal)
  await store.reportReady?.(signal)
  await store.publicAddresses?.(signal)
  server.conduct.rights = ['get nodes']
  await expect(store.reportReady?.(signal)).rejects.toThrow('the answer is 403, nodes "n7" is forbidden')
})
