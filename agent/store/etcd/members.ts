/** Calls to whichever endpoint of etcd answers: the one that did last, else the next. */
import { StoreError } from '../store.ts'
import { type Connection, connect, detailsOf, type Headers, type Keepalive, statusOf } from './connection.ts'
import { type CertificateFiles, type Endpoint, parseEndpoints } from './endpoint.ts'
import type { Method } from './messages.ts'

export interface MembersAccess extends CertificateFiles {
  /** Separated by commas. */
  readonly endpoints: string
  readonly keepalive: Keepalive
  /** How long an endpoint may take for an answer, in ms. */
  readonly patience: number
}

export interface Members {
  readonly endpoints: readonly Endpoint[]
  /** The answer of the first endpoint that gives one. @throws StoreError when none does; ServiceError for a refusal; what
   *  aborted `signal` */
  readonly ask: <Out, In>(method: Method<Out, In>, request: In, headers: Headers, signal: AbortSignal) => Promise<Out>
  /** Has the next endpoint asked first. */
  readonly pass: () => void
  /** A connection of its own to the endpoint that is asked first. @throws StoreError */
  readonly open: () => Promise<Connection>
  readonly close: () => void
}

/** `grpc.status`: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const DEADLINE_EXCEEDED = 4
const INTERNAL = 13
const UNAVAILABLE = 14

/** Whether another endpoint, or another connection, may do better. */
const isOfEndpoint = (error: unknown): boolean =>
  [DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE].includes(statusOf(error) ?? -1)

/** @throws StoreError for endpoints that are none */
export const openMembers = (access: MembersAccess): Members => {
  const endpoints = parseEndpoints(access.endpoints, access)
  const connections = new Map<Endpoint, Connection>()
  let current = 0

  const endpointAfter = (steps: number): Endpoint => endpoints[(current + steps) % endpoints.length] as Endpoint
  const open = async (endpoint: Endpoint): Promise<Connection> =>
    connect(await import('./grpc-library.ts'), endpoint, access, access.keepalive)

  /** The next call to its endpoint connects anew, with the certificates that there are then. */
  const drop = (endpoint: Endpoint): void => {
    connections.get(endpoint)?.close()
    connections.delete(endpoint)
  }

  const attempt = async <T>(endpoint: Endpoint, use: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = connections.get(endpoint) ?? (await open(endpoint))
    const known = connections.get(endpoint)
    if (known === undefined) connections.set(endpoint, connection)
    try {
      return await use(connection)
    } catch (error) {
      if (isOfEndpoint(error) && connections.get(endpoint) === connection) drop(endpoint)
      throw error
    } finally {
      if (connections.get(endpoint) !== connection) connection.close()
    }
  }

  /** A connection that lay idle may have died meanwhile: that says nothing of the endpoint. */
  const askOne = async <T>(endpoint: Endpoint, use: (connection: Connection) => Promise<T>): Promise<T> => {
    const isIdle = connections.has(endpoint)
    try {
      return await attempt(endpoint, use)
    } catch (error) {
      if (!isIdle || !isOfEndpoint(error)) throw error
      return attempt(endpoint, use)
    }
  }

  /** Asks one endpoint after the other. */
  const ask = async <Out, In>(
    method: Method<Out, In>,
    request: In,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<Out> => {
    const failures: string[] = []
    for (const endpoint of endpoints.map((_, steps) => endpointAfter(steps))) {
      try {
        const answer = await askOne(endpoint, ({ call }) => call(method, request, headers, access.patience, signal))
        current = endpoints.indexOf(endpoint)
        return answer
      } catch (error) {
        if (!isOfEndpoint(error)) throw error
        failures.push(`${endpoint.url} (${detailsOf(error)})`)
      }
    }
    throw new StoreError(`etcd does not answer: ${failures.join(', ')}`)
  }

  return {
    endpoints,
    ask,
    pass: () => {
      current++
    },
    open: () => open(endpointAfter(0)),
    close: () => {
      for (const endpoint of endpoints) drop(endpoint)
    },
  }
}
