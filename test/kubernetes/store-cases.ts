/** The store, in this process, on a real API server. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import { type KubernetesStoreOptions, openKubernetesStore } from '../../agent/store/kubernetes.ts'
import type { Claim, LeaseStore } from '../../agent/store/store.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { makeFolder } from '../support/cleanup.ts'
import { callerOf } from './caller.ts'
import { annotateNode, type Cases, makeClusterNode, nodeOf, removeNodes } from './case.ts'
import type { Cluster } from './control-plane.ts'
import { applyManifest, podsMade, tokenFor } from './manifest.ts'
import { flannelAnnotations, vxlanAnnotations } from './node-object.ts'
import { eventually, startWatching } from './watching.ts'

const conf = parseNetConf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}')
const claim: Claim = {
  publicIP: '192.0.2.7' as Ip,
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: '0e:f1:00:00:00:07' as Mac },
  v6Data: {},
  previous: [],
}
const { signal } = new AbortController()

const storeOn = ({ kubeconfig }: Cluster, options: Partial<KubernetesStoreOptions> = {}): LeaseStore =>
  openKubernetesStore({
    kubeconfigFile: kubeconfig,
    kubeApiUrl: '',
    kubeAnnotationPrefix: 'flannel.alpha.coreos.com',
    kubeNodeName: 'n7',
    netConfigPath: '',
    setNodeNetworkUnavailable: true,
    env: {},
    ...options,
  })

/** In a pod with the service account of the manifest. */
const storeInPod = async (cluster: Cluster): Promise<LeaseStore> => {
  const root = makeFolder('pod')
  const secrets = `${root}/var/run/secrets/kubernetes.io/serviceaccount`
  mkdirSync(secrets, { recursive: true })
  writeFileSync(`${secrets}/token`, await tokenFor(cluster))
  writeFileSync(`${secrets}/ca.crt`, readFileSync(cluster.pki.ca))
  const { hostname, port } = new URL(cluster.url)
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
  return storeOn(cluster, { kubeconfigFile: '', env, root })
}

const conditionOf = async (cluster: Cluster, name: string, type: string): Promise<string | undefined> =>
  (await nodeOf(cluster, name)).status?.conditions?.find((condition) => condition.type === type)?.status

export const storeCases: Cases = {
  'a node takes its podCIDR and is annotated as flanneld does': async (cluster) => {
    const { spec } = await makeClusterNode(cluster, 'n7')
    const store = storeOn(cluster)
    const { lease } = await store.acquire(claim, conf, signal)
    equal(lease.subnet, spec.podCIDRs?.[0])
    deepEqual((await nodeOf(cluster, 'n7')).metadata.annotations, vxlanAnnotations(7))
    await store.reportReady?.(signal)
    equal(await conditionOf(cluster, 'n7', 'NetworkUnavailable'), 'False')
    deepEqual((await store.renew({ lease }, claim, signal)).lease, lease)
    await removeNodes(cluster)
  },

  'the watch reports nodes of flanneld, changes of them, and their end': async (cluster) => {
    await makeClusterNode(cluster, 'n1')
    await annotateNode(cluster, 'n1', vxlanAnnotations(1))
    const watching = startWatching(storeOn(cluster))
    await watching.until('all n1')
    await makeClusterNode(cluster, 'n2')
    await annotateNode(cluster, 'n2', vxlanAnnotations(2))
    await annotateNode(cluster, 'n2', flannelAnnotations({ 'public-ip': '192.0.2.222' }))
    await annotateNode(cluster, 'n2', { 'example.com/rack': '7' })
    await annotateNode(cluster, 'n2', flannelAnnotations({ 'public-ip': 'nonsense' }))
    await cluster.api('DELETE', '/api/v1/nodes/n1')
    await watching.until('all n1', 'set n2', 'set n2', 'invalid n2', 'gone n1')
    await watching.stop()
    equal(watching.outcome(), 'resolved')
    await removeNodes(cluster)
  },

  'a list of several pages': async (cluster) => {
    const names = Array.from({ length: 250 }, (_, n) => `page-${String(n).padStart(3, '0')}`)
    const made = names.map((name, n) =>
      cluster.api('POST', '/api/v1/nodes', {
        kind: 'Node',
        apiVersion: 'v1',
        metadata: { name, annotations: vxlanAnnotations(n + 1) },
        spec: { podCIDR: `10.244.${n}.0/24`, podCIDRs: [`10.244.${n}.0/24`] },
      }),
    )
    ok((await Promise.all(made)).every(({ status }) => status === 201))
    const watching = startWatching(storeOn(cluster))
    await watching.until(`all ${names.join(' ')}`)
    await watching.stop()
    await removeNodes(cluster)
  },

  'the API server restarts: the watch ends, and the next goes on': async (cluster) => {
    await makeClusterNode(cluster, 'n1')
    await annotateNode(cluster, 'n1', vxlanAnnotations(1))
    const store = storeOn(cluster)
    const watching = startWatching(store)
    await watching.until('all n1')
    await cluster.stopApiServer()
    await eventually(() => watching.outcome() !== undefined, 'the end of the watch')
    match(String(watching.outcome()), /^StoreError: (?:GET )?https:/)
    const refused = startWatching(store)
    await eventually(() => refused.outcome() !== undefined, 'a refusal')
    match(String(refused.outcome()), /ECONNREFUSED/)
    deepEqual(refused.heard(), [])
    await cluster.startApiServer()
    await annotateNode(cluster, 'n1', flannelAnnotations({ 'public-ip': '192.0.2.111' }))
    const again = startWatching(store)
    await eventually(
      () =>
        again.events.some((event) =>
          JSON.stringify([...(event.kind === 'all' ? event.leases : []), event]).includes('192.0.2.111'),
        ),
      'the change that was made meanwhile',
    )
    match(again.heard()[0] ?? '', /^all/)
    await again.stop()
    await removeNodes(cluster)
  },

  'the manifest’s service account may do what the store does, and no more': async (cluster) => {
    await applyManifest(cluster)
    await makeClusterNode(cluster, 'n7')
    const store = await storeInPod(cluster)
    await store.acquire(claim, conf, signal)
    await store.reportReady?.(signal)
    deepEqual(await store.publicAddresses?.(signal), {})
    const watching = startWatching(store)
    await watching.until('all n7')
    await annotateNode(cluster, 'n7', flannelAnnotations({ 'public-ip': '192.0.2.70' }))
    await watching.until('all n7', 'set n7')
    await watching.stop()
    const asPod = callerOf(cluster.url, cluster.pki, await tokenFor(cluster))
    const tried = [
      await asPod('PATCH', '/api/v1/nodes/n7', { spec: { unschedulable: true } }),
      await asPod('DELETE', '/api/v1/nodes/n7'),
      await asPod('GET', '/api/v1/pods'),
      await asPod('GET', '/api/v1/namespaces/podwire/secrets'),
    ]
    deepEqual(
      tried.map(({ status }) => status),
      [403, 403, 403, 403],
    )
    await removeNodes(cluster)
  },

  'the manifest is accepted, and its DaemonSet makes a pod for every node': async (cluster) => {
    await applyManifest(cluster)
    for (const name of ['d1', 'd2']) await makeClusterNode(cluster, name)
    for (const end = Date.now() + 20_000; (await podsMade(cluster)) !== 2; await sleep(50))
      if (Date.now() > end) throw new Error(`${await podsMade(cluster)} pods for 2 nodes after 20 s`)
    await removeNodes(cluster)
  },

  'a client certificate': async (cluster) => {
    const { key, cert } = cluster.pki.client('admin-by-certificate', 'system:masters')
    const config = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8'))
    const path = `${makeFolder('kubeconfig')}/kubeconfig`
    const users = [{ name: 'admin', user: { 'client-certificate': cert, 'client-key': key } }]
    writeFileSync(path, JSON.stringify({ ...config, users }))
    const watching = startWatching(storeOn(cluster, { kubeconfigFile: path }))
    await watching.until('all')
    await watching.stop()
  },
}
