/** Whom the API server takes this node for, over TLS. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ApiServer, startApiServer } from '../../../test/kubernetes/api-server.ts'
import { flannelNode } from '../../../test/kubernetes/node-object.ts'
import { makePki, type Pki, serverKeys } from '../../../test/kubernetes/pki.ts'
import { eventually, startWatching } from '../../../test/kubernetes/watching.ts'
import { cleanUp, makeFolder } from '../../../test/support/cleanup.ts'
import { type KubernetesStoreOptions, openKubernetesStore } from '../kubernetes.ts'
import { type LeaseStore, StoreError } from '../store.ts'
import { openAccess } from './access.ts'

let pki: Pki
let other: Pki
let server: ApiServer
let folder: string
beforeAll(() => {
  pki = makePki()
  other = makePki()
})
afterAll(cleanUp)
beforeEach(async () => {
  folder = makeFolder('access')
  server = await startApiServer(serverKeys(pki, pki.server('api', ['127.0.0.1'])))
  server.nodes.put(flannelNode(1))
})
afterEach(() => server.stop())

const storeWith = (options: Partial<KubernetesStoreOptions>): LeaseStore =>
  openKubernetesStore({
    kubeconfigFile: '',
    kubeApiUrl: '',
    kubeAnnotationPrefix: 'flannel.alpha.coreos.com',
    kubeNodeName: 'node-1',
    netConfigPath: '',
    setNodeNetworkUnavailable: true,
    env: {},
    ...options,
  })

/** The path of a kubeconfig, in YAML's JSON. */
const kubeconfig = (user: object, cluster: object = {}): string => {
  const path = `${folder}/kubeconfig`
  const text = {
    clusters: [{ name: 'c', cluster: { server: server.url, 'certificate-authority': pki.ca, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
  writeFileSync(path, JSON.stringify(text))
  return path
}

/** Who the server saw in a request and in a watch. */
const usersOf = async (store: LeaseStore): Promise<readonly string[]> => {
  await store.reportReady?.(new AbortController().signal)
  const watching = startWatching(store)
  await watching.until('all node-1')
  server.nodes.put(flannelNode(2))
  await watching.until('all node-1', 'set node-2')
  await watching.stop()
  return [...new Set(server.asked.map(({ user }) => user))]
}

const failureOf = async (store: LeaseStore): Promise<unknown> =>
  store.reportReady?.(new AbortController().signal).catch((error: unknown) => error)

test('a token', async () => {
  expect(await usersOf(storeWith({ kubeconfigFile: kubeconfig({ token: 'secret' }) }))).toEqual(['secret'])
})

test('a client certificate', async () => {
  const { key, cert } = pki.client('node-agent', 'podwire')
  const user = { 'client-certificate': cert, 'client-key': key }
  expect(await usersOf(storeWith({ kubeconfigFile: kubeconfig(user) }))).toEqual(['node-agent'])
})

test('a program that prints credentials', async () => {
  const command = `${folder}/login`
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'printed' },
  }
  writeFileSync(command, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`, { mode: 0o755 })
  const exec = { apiVersion: credential.apiVersion, command, interactiveMode: 'Never' }
  expect(await usersOf(storeWith({ kubeconfigFile: kubeconfig({ exec }) }))).toEqual(['printed'])
})

test('a token in a file is read again for every request, beside the kubeconfig', async () => {
  writeFileSync(`${folder}/token`, 'first\n')
  const store = storeWith({ kubeconfigFile: kubeconfig({ tokenFile: 'token', token: 'older' }) })
  expect(await usersOf(store)).toEqual(['first'])
  writeFileSync(`${folder}/token`, 'second\n')
  await store.reportReady?.(new AbortController().signal)
  expect(server.asked.at(-1)?.user).toBe('second')
})

/** A root directory with the service account of a pod. */
const podRoot = (token: string): string => {
  const secrets = `${folder}/var/run/secrets/kubernetes.io/serviceaccount`
  mkdirSync(secrets, { recursive: true })
  writeFileSync(`${secrets}/token`, token)
  writeFileSync(`${secrets}/ca.crt`, serverKeys(pki, { key: pki.ca, cert: pki.ca }).ca)
  return folder
}

test('a pod’s service account, whose token rotates', async () => {
  const { hostname, port } = new URL(server.url)
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
  server.conduct.tokens = ['old']
  const store = storeWith({ env, root: podRoot('old') })
  const watching = startWatching(store)
  await watching.until('all node-1')
  await eventually(() => server.watches.open() === 1, 'a watch')
  server.conduct.tokens = ['new']
  server.sendBookmark()
  server.watches.end()
  await eventually(() => watching.outcome() !== undefined, 'the end')
  expect(String(watching.outcome())).toMatch(/watch=true\S*: the answer is 401, Unauthorized/)
  podRoot('new')
  const again = startWatching(store)
  await again.until('all node-1')
  await again.stop()
  expect(server.asked.map(({ right, user }) => `${right} ${user}`)).toEqual([
    'list nodes old',
    'watch nodes old',
    'watch nodes old',
    'watch nodes new',
  ])
})

test('--kube-api-url in a pod: its service account at another address', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '203.0.113.1', KUBERNETES_SERVICE_PORT: '443' }
  const store = storeWith({ env, root: podRoot('token-of-pod'), kubeApiUrl: `${server.url}/` })
  expect(await usersOf(store)).toEqual(['token-of-pod'])
})

test('--kube-api-url beside a kubeconfig: its credentials at another address', async () => {
  const kubeconfigFile = kubeconfig({ token: 'secret' }, { server: 'https://203.0.113.1' })
  expect(await usersOf(storeWith({ kubeconfigFile, kubeApiUrl: server.url }))).toEqual(['secret'])
})

test('the token of a pod is not sent without TLS', async () => {
  const plain = await startApiServer()
  plain.nodes.put(flannelNode(1))
  await storeWith({ root: podRoot('secret'), kubeApiUrl: plain.url }).reportReady?.(new AbortController().signal)
  await plain.stop()
  expect(plain.asked.map(({ user }) => user)).toEqual([''])
})

test.for<[string, object, object, RegExp]>([
  [
    'signed by another',
    { token: 't' },
    { 'certificate-authority': 'other' },
    /self.signed certificate in certificate chain/,
  ],
  ['for another name', { token: 't' }, { 'tls-server-name': 'api.example.com' }, /altnames.*api\.example\.com/],
])('a server whose certificate is %s is not trusted', async ([, user, cluster, words]) => {
  const ca = 'certificate-authority' in cluster ? { 'certificate-authority': other.ca } : {}
  const error = await failureOf(storeWith({ kubeconfigFile: kubeconfig(user, { ...cluster, ...ca }) }))
  expect(error).toBeInstanceOf(StoreError)
  expect(String(error)).toMatch(words)
  expect(server.asked).toEqual([])
})

test('an IPv6 address of the API server', async () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00:96::1', KUBERNETES_SERVICE_PORT: '443' }
  expect((await openAccess({ kubeconfigFile: '', apiUrl: '', env })).server).toBe('https://[fd00:96::1]:443')
})

test.for<[string, Partial<KubernetesStoreOptions>, string]>([
  ['nothing to go by', {}, 'this is no pod (KUBERNETES_SERVICE_HOST is not set), and neither --kubeconfig-file nor'],
  [
    'a kubeconfig that is not there',
    { kubeconfigFile: '/nonexistent' },
    'the kubeconfig /nonexistent cannot be used: ENOENT',
  ],
  ['an address that is none', { kubeApiUrl: '10.0.0.1:6443' }, '"10.0.0.1:6443" is no address of an API server'],
  ['a name that is none', { kubeApiUrl: 'https://' }, 'is no address of an API server'],
])('%s', async ([, options, words]) => {
  const error = await failureOf(storeWith(options))
  expect(error).toBeInstanceOf(StoreError)
  expect(String(error)).toContain(words)
})

test.for([
  ['without a current context', '{"clusters":[],"users":[],"contexts":[]}', 'names no current context with a cluster'],
  ['that is not YAML', '{"clusters":', 'cannot be used'],
  ['that is empty', '', 'cannot be used: it holds no object'],
  ['that is something else', 'hello', 'cannot be used: it holds no object'],
])('a kubeconfig %s', async ([, text = '', words = '']) => {
  writeFileSync(`${folder}/kubeconfig`, text)
  const error = await failureOf(storeWith({ kubeconfigFile: `${folder}/kubeconfig` }))
  expect(error).toBeInstanceOf(StoreError)
  expect(String(error)).toContain(words)
})

test('a token file that is gone is named', async () => {
  const error = await failureOf(storeWith({ kubeconfigFile: kubeconfig({ tokenFile: '/nonexistent/token' }) }))
  expect(error).toBeInstanceOf(StoreError)
  expect(String(error)).toContain("open '/nonexistent/token'")
})
