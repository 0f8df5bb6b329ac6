/** Answers about Nodes as kube-apiserver does, over HTTP or HTTPS, with faults to order. */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  answer,
  bookmarkLine,
  getNode,
  listNodes,
  type NodeQuery,
  patchNode,
  refuse,
  watchNodes,
} from './node-answers.ts'
import type { ServerKeys } from './pki.ts'
import { openRegistry, type Registry } from './registry.ts'
import { forbidden, notFound, UNAUTHORIZED } from './status.ts'
import { openStreams, type Streams } from './streams.ts'

/** What may go wrong, and who may do what; each can be changed while the server runs. */
export interface Conduct {
  /** Bearer tokens that are let in, each the name of its user; everybody is when there are none. */
  tokens?: readonly string[]
  /** Rights that are given, as `list nodes`, `patch nodes/status`; all when there are none. */
  rights?: readonly string[]
  /** Takes requests and answers nothing. */
  mute?: boolean
  /** Called for each request before it is answered. */
  before?: (line: string) => void
  /** Answers with this instead: what stands between here and a server may. */
  instead?: { readonly code: number; readonly text: string }
}

export interface Asked {
  /** In the words of RBAC: `list nodes`. */
  readonly right: string
  /** `GET /api/v1/nodes?limit=100`. */
  readonly line: string
  /** A token, the common name of a client's certificate, or ''. */
  readonly user: string
  readonly contentType: string
  readonly body: string
}

export interface ApiServer {
  readonly url: string
  readonly nodes: Registry
  /** Names of pods with the node each is on. */
  readonly pods: Map<string, string>
  readonly conduct: Conduct
  readonly watches: Streams
  /** Every request, in order. */
  readonly asked: readonly Asked[]
  readonly sendBookmark: () => void
  /** Breaks all connections and takes no more. */
  readonly stop: () => Promise<void>
  /** Takes connections again, on the same port. */
  readonly start: () => Promise<void>
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

const userOf = ({ headers, socket }: IncomingMessage): string => {
  const token = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1]
  if (token !== undefined) return token
  return socket instanceof TLSSocket && socket.authorized ? String(socket.getPeerCertificate().subject.CN) : ''
}

interface Route {
  readonly verb: string
  readonly resource: string
  readonly name: string
}

const NODE_PATH = /^\/api\/v1\/nodes(?:\/([^/]+)(\/status)?)?$/
const POD_PATH = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/

const routeOf = (method: string, url: URL): Route | undefined => {
  const [, namespace, pod] = POD_PATH.exec(url.pathname) ?? []
  if (pod !== undefined) return { verb: 'get', resource: 'pods', name: `${namespace}/${pod}` }
  const [path, name = '', status = ''] = NODE_PATH.exec(url.pathname) ?? []
  if (path === undefined) return undefined
  const collection = url.searchParams.get('watch') === 'true' ? 'watch' : 'list'
  const verb = method === 'PATCH' ? 'patch' : name === '' ? collection : 'get'
  return { verb, resource: `nodes${status}`, name: decodeURIComponent(name) }
}

/** Listening on 127.0.0.1 when it returns. The caller stops it. */
export const startApiServer = async (keys?: ServerKeys): Promise<ApiServer> => {
  const [nodes, watches, pods] = [openRegistry(), openStreams(), new Map<string, string>()]
  const [asked, sockets, conduct]: [Asked[], Set<Socket>, Conduct] = [[], new Set(), {}]
  let port = 0

  const answerRoute = ({ verb, resource, name }: Route, query: NodeQuery, response: ServerResponse): void => {
    if (verb === 'list') listNodes(nodes, query, response)
    else if (verb === 'watch') watchNodes(nodes, query, response, watches)
    else if (verb === 'patch') patchNode(nodes, query, response)
    else if (resource === 'nodes') getNode(nodes, query, response)
    else if (pods.has(name)) answer(response, 200, { kind: 'Pod', spec: { nodeName: pods.get(name) } })
    else refuse(response, notFound('pods', name.slice(name.indexOf('/') + 1)))
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [url, body] = [new URL(request.url ?? '', 'http://server'), await bodyOf(request)]
    const [route, user, line] = [
      routeOf(request.method ?? '', url),
      userOf(request),
      `${request.method} ${request.url}`,
    ]
    const right = `${route?.verb} ${route?.resource}`
    asked.push({ right, line, user, contentType: request.headers['content-type'] ?? '', body })
    conduct.before?.(line)
    if (conduct.mute) return
    if (conduct.instead !== undefined) response.writeHead(conduct.instead.code).end(conduct.instead.text)
    else if (conduct.tokens !== undefined && !conduct.tokens.includes(user)) refuse(response, UNAUTHORIZED)
    else if (route === undefined) refuse(response, notFound('the server could not find the requested resource', ''))
    else if (conduct.rights !== undefined && !conduct.rights.includes(right))
      refuse(response, forbidden(user, route.verb, route.resource, route.name))
    else answerRoute(route, { name: route.name, parameters: url.searchParams, body }, response)
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => void serve(request, response)
  const tls = keys === undefined ? undefined : { ...keys, requestCert: true, rejectUnauthorized: false }
  const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })

  const start = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        port = (server.address() as AddressInfo).port
        resolve()
      })
    })
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  await start()
  return {
    url: `${keys === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    nodes,
    pods,
    conduct,
    watches,
    asked,
    sendBookmark: () => watches.inject(bookmarkLine(nodes)),
    stop,
    start,
  }
}
