/** What kube-apiserver answers about Nodes: get, list in pages, watch with bookmarks, patch of the status. */
import type { ServerResponse } from 'node:http'
import type { NodePatch, Registry } from './registry.ts'
import { CONTINUE_TOO_OLD, notFound, type Refusal, statusOf, tooOld } from './status.ts'
import type { StreamRoom } from './streams.ts'

/** One request about Nodes. */
export interface NodeQuery {
  readonly name: string
  readonly parameters: URLSearchParams
  readonly body: string
}

export const answer = (response: ServerResponse, code: number, body: object): void => {
  response.writeHead(code, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

export const refuse = (response: ServerResponse, refusal: Refusal): void =>
  answer(response, refusal.code, statusOf(refusal))

/** Where a list goes on: after this name, in this version. */
interface Continuation {
  readonly v: number
  readonly start: string
}

const tokenOf = (continuation: Continuation): string => Buffer.from(JSON.stringify(continuation)).toString('base64url')

const continuationIn = (token: string): Continuation => JSON.parse(Buffer.from(token, 'base64url').toString())

export const listNodes = (nodes: Registry, { parameters }: NodeQuery, response: ServerResponse): void => {
  const token = parameters.get('continue')
  const from = token === null ? { v: nodes.version(), start: '' } : continuationIn(token)
  const state = token === null ? nodes.all() : nodes.at(from.v)
  if (state === undefined) {
    refuse(response, CONTINUE_TOO_OLD)
    return
  }
  const limit = Number(parameters.get('limit') ?? Number.POSITIVE_INFINITY)
  const rest = state.filter(({ metadata }) => metadata.name > from.start)
  const items = rest.slice(0, limit)
  const more = rest.length > limit ? { continue: tokenOf({ v: from.v, start: items.at(-1)?.metadata.name ?? '' }) } : {}
  // objects in a list have no kind of their own
  const bare = items.map(({ kind: _, apiVersion: __, ...object }) => object)
  answer(response, 200, {
    kind: 'NodeList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(from.v), ...more },
    items: bare,
  })
}

const bookmark = (version: number): object => ({
  type: 'BOOKMARK',
  object: {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(version), creationTimestamp: null },
    spec: {},
    status: { daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, nodeInfo: { machineID: '' } },
  },
})

/** A server with a watch cache says that a version is too old in the stream; one without answers with the status itself. */
export const watchNodes = (nodes: Registry, query: NodeQuery, response: ServerResponse, streams: StreamRoom): void => {
  const from = Number(query.parameters.get('resourceVersion') ?? nodes.version())
  const missed = nodes.since(from)
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  const send = streams.add(response)
  if (missed === undefined) {
    send({ type: 'ERROR', object: statusOf(tooOld(from, nodes.version())) })
    return
  }
  for (const { type, object } of missed) send({ type, object })
  const unsubscribe = nodes.subscribe(({ type, object }) => send({ type, object }))
  const ending = setTimeout(() => response.end(), 1000 * Number(query.parameters.get('timeoutSeconds') ?? 1800))
  response.on('close', () => {
    unsubscribe()
    clearTimeout(ending)
  })
}

/** What the server sends every minute to watches that asked for it. */
export const bookmarkLine = (nodes: Registry): string => JSON.stringify(bookmark(nodes.version()))

export const getNode = (nodes: Registry, { name }: NodeQuery, response: ServerResponse): void => {
  const node = nodes.get(name)
  if (node === undefined) refuse(response, notFound('nodes', name))
  else answer(response, 200, node)
}

export const patchNode = (nodes: Registry, { name, body }: NodeQuery, response: ServerResponse): void => {
  const { metadata, status } = JSON.parse(body) as NodePatch
  // of `nodes/status`: a change of the spec is left out
  const node = nodes.patch(name, { ...(metadata ? { metadata } : {}), ...(status ? { status } : {}) })
  if (node === undefined) refuse(response, notFound('nodes', name))
  else answer(response, 200, node)
}
