/** `vxlan` with leases in Kubernetes: the server of test/kubernetes, in the node's own namespace, as flanneld's nodes have
 *  annotated theirs. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { makePki } from '../kubernetes/pki.ts'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { inside, ipJson } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeVxlan, NET_CONF, type VxlanNode } from './vxlan-plugin.bed.ts'

const PEERS = 3
const WORKER = `${import.meta.dirname}/../kubernetes/serve.worker.ts`

/** Starts it in the namespace `netns`. Returns a kubeconfig. */
const serve = (netns: string): string => {
  const [pki, folder] = [makePki(), makeFolder('server')]
  const { key, cert } = pki.server('api', ['127.0.0.1'])
  const worker = [process.execPath, '--import', 'tsx', WORKER, key, cert, pki.ca, String(PEERS), `${folder}/url`]
  const [file = '', ...argv] = inside(netns, worker)
  const child = spawn(file, argv, { stdio: 'ignore' })
  onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => existsSync(`${folder}/url`) && readFileSync(`${folder}/url`, 'utf8') !== '', 60_000))
    throw new Error('no server within 60 s')
  const path = `${folder}/kubeconfig`
  const server = { server: readFileSync(`${folder}/url`, 'utf8'), 'certificate-authority': pki.ca }
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'it' },
    clusters: [{ name: 'it', cluster: server }],
    users: [{ name: 'it', user: { token: 'of-the-pod' } }],
    contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}

test('pods get addresses of the node’s podCIDR, and the node every peer of flanneld', () => {
  const bed = makeVxlan(1, { netConf: undefined })
  const node = bed.nodes[0] as VxlanNode
  const netConfigPath = `${node.folder}/net-conf.json`
  writeFileSync(netConfigPath, JSON.stringify(NET_CONF))
  const kubeconfigFile = serve(node.netns)
  const store = { type: 'kubernetes', kubeconfigFile, kubeNodeName: 'n1', netConfigPath }
  expect(node.call('STATUS', undefined, { store })).toMatchObject({ status: 0, stdout: '' })
  expect(ipJson(node.netns, 'link', 'show', 'type', 'vxlan')).toEqual([])
  const result = node.add(node.pod(), { store })
  expect(result.ips.map(({ address }) => address)).toEqual(['10.244.255.2/24'])
  expect(ipJson(node.netns, 'route', 'show', 'dev', 'flannel.1').map(({ dst }) => dst)).toEqual([
    ...Array.from({ length: PEERS }, (_, i) => `10.244.${i + 2}.0/24`),
  ])
  expect(node.call('STATUS', undefined, { store })).toMatchObject({ status: 0, stderr: '' })
  const { kubeNodeName, ...unnamed } = store
  for (const [other, name] of [
    [{ ...store, kubeNodeName: 'nobody' }, 'nobody'],
    [unnamed, hostname().toLowerCase()],
  ] as const)
    expect([kubeNodeName, node.call('ADD', node.pod(), { store: other }).json]).toMatchObject([
      ...['n1', { code: 11, msg: expect.stringContaining(`"${name}"`) }],
    ])
}, 120_000)
