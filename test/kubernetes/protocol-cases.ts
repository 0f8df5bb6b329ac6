/** The server of our own says what a real one says: the same requests to both, and everything that ours answers is in the
 *  real answer too. */
import { deepEqual, equal } from 'node:assert/strict'
import { startApiServer } from './api-server.ts'
import { type Answer, type Caller, callerOf } from './caller.ts'
import { type Cases, removeNodes } from './case.ts'
import type { Cluster } from './control-plane.ts'
import { bareNode, type NodeObject, vxlanAnnotations } from './node-object.ts'
import { serverKeys } from './pki.ts'

/** What differs from run to run, and from server to server: versions, and which node a message is about. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replaceAll(/\d+/g, 'N')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      ['resourceVersion', 'continue'].includes(key) ? `a ${key}` : plain(inner),
    ]),
  )
}

/** The part of `real` that `ours` has members for. */
const likeOurs = (real: unknown, ours: unknown): unknown => {
  if (Array.isArray(ours) && Array.isArray(real)) return real.map((item, i) => likeOurs(item, ours[i]))
  if (typeof ours !== 'object' || ours === null || typeof real !== 'object' || real === null) return real
  return Object.fromEntries(
    Object.keys(ours).map((key) => [
      key,
      likeOurs((real as Readonly<Record<string, unknown>>)[key], (ours as Readonly<Record<string, unknown>>)[key]),
    ]),
  )
}

const requireAlike = (what: string, real: Answer, ours: Answer): void => {
  equal(ours.status, real.status, what)
  deepEqual(plain(ours.lines), likeOurs(plain(real.lines), plain(ours.lines)), what)
}

const versionIn = ({ lines }: Answer): string =>
  (lines[0] as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion

/** Changes made from outside. */
interface Hands {
  readonly add: (node: NodeObject) => Promise<unknown>
  readonly change: (name: string) => Promise<unknown>
  readonly remove: (name: string) => Promise<unknown>
  readonly compact: () => void
}

const PATCH = { metadata: { annotations: { 'example.com/a': 'b' } } }
const NODES: readonly NodeObject[] = [1, 2].map((n) => {
  const node = bareNode(`p${n}`, `10.244.${n + 100}.0/24`)
  return { ...node, metadata: { ...node.metadata, annotations: vxlanAnnotations(n) } }
})

const pageOf = async (ask: Caller, token?: string): Promise<Answer> =>
  ask('GET', `/api/v1/nodes?limit=1${token === undefined ? '' : `&continue=${token}`}`)

const continueOf = ({ lines }: Answer): string =>
  (lines[0] as { readonly metadata: { readonly continue: string } }).metadata.continue

/** What is answered to everything that the store asks, and then some. */
const answersOf = async (
  ask: Caller,
  { add, change, remove, compact }: Hands,
): Promise<Readonly<Record<string, Answer>>> => {
  for (const node of NODES) await add(node)
  const [page, all] = [await pageOf(ask), await ask('GET', '/api/v1/nodes')]
  await change('p1')
  await remove('p2')
  const second = await pageOf(ask, continueOf(page))
  const watch = `/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=${versionIn(all)}`
  const watched = await ask('GET', watch)
  compact()
  return {
    'the first page': page,
    'the second page, of the state of the first': second,
    'all nodes': all,
    'a watch': watched,
    'a continuation that expired': await pageOf(ask, continueOf(page)),
    'a node': await ask('GET', '/api/v1/nodes/p1'),
    'no node': await ask('GET', '/api/v1/nodes/none'),
    'a patch': await ask('PATCH', '/api/v1/nodes/p1/status', PATCH),
    'a patch of no node': await ask('PATCH', '/api/v1/nodes/none/status', PATCH),
    'no pod': await ask('GET', '/api/v1/namespaces/default/pods/none'),
  }
}

const ofReal = async (cluster: Cluster): Promise<Readonly<Record<string, Answer>>> => {
  const { api, compact } = cluster
  const answers = await answersOf(api, {
    add: (node) => api('POST', '/api/v1/nodes', node),
    change: (name) => api('PATCH', `/api/v1/nodes/${name}`, PATCH),
    remove: (name) => api('DELETE', `/api/v1/nodes/${name}`),
    compact,
  })
  await removeNodes(cluster)
  return answers
}

const ofOurs = async ({ pki }: Cluster): Promise<Readonly<Record<string, Answer>>> => {
  const server = await startApiServer(serverKeys(pki, pki.server('ours', ['127.0.0.1'])))
  const { nodes } = server
  const answers = await answersOf(callerOf(server.url, pki, ''), {
    add: async (node) => nodes.put(node),
    change: async (name) => nodes.patch(name, PATCH),
    remove: async (name) => nodes.remove(name),
    compact: nodes.compact,
  })
  await server.stop()
  return answers
}

export const protocolCases: Cases = {
  'the server of our own answers as a real one': async (cluster) => {
    const [real, ours] = [await ofReal(cluster), await ofOurs(cluster)]
    for (const [what, answer] of Object.entries(ours))
      requireAlike(what, real[what] ?? { status: 0, lines: [] }, answer)
  },

  'a token that nobody knows, and a right that nobody gave': async ({ url, pki, api }) => {
    const server = await startApiServer(serverKeys(pki, pki.server('ours', ['127.0.0.1'])))
    server.conduct.tokens = ['known']
    const stranger = await callerOf(server.url, pki, 'unknown')('GET', '/api/v1/nodes')
    requireAlike('an unknown token', await callerOf(url, pki, 'unknown')('GET', '/api/v1/nodes'), stranger)
    const account = { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'nobody' } }
    await api('POST', '/api/v1/namespaces/default/serviceaccounts', account)
    const request = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: {} }
    const granted = await api('POST', '/api/v1/namespaces/default/serviceaccounts/nobody/token', request)
    const { token } = (granted.lines[0] as { readonly status: { readonly token: string } }).status
    const user = 'system:serviceaccount:default:nobody'
    Object.assign(server.conduct, { tokens: [user], rights: [] })
    const [real, ours] = [callerOf(url, pki, token), callerOf(server.url, pki, user)]
    for (const path of ['/api/v1/nodes', '/api/v1/nodes?watch=true', '/api/v1/nodes/n1'])
      requireAlike(path, await real('GET', path), await ours('GET', path))
    const patch = '/api/v1/nodes/n1/status'
    requireAlike(patch, await real('PATCH', patch, PATCH), await ours('PATCH', patch, PATCH))
    await server.stop()
  },
}
