/** Calls to etcd: to the endpoint that answered last, else to the next; with a token when there is a user. */
import { StoreError } from '../store.ts'
import {
  type Connection,
  connect,
  detailsOf,
  type Headers,
  type Keepalive,
  type StreamEvents,
  statusOf,
} from './connection.ts'
import { type CertificateFiles, type Endpoint, parseEndpoints } from './endpoint.ts'
import { AUTHENTICATE, type Method } from './messages.ts'

export interface EtcdAccess extends CertificateFiles {
  /** Separated by commas. */
  readonly endpoints: string
  /** '' for none. */
  readonly username: string
  readonly password: string
  readonly keepalive: Keepalive
  /** How long an endpoint may take for an answer, in ms. */
  readonly patience: number
}

/** A connection of its own to one endpoint. */
export interface Line {
  readonly watch: (events: StreamEvents) => ReturnType<Connection['watch']>
  readonly close: () => void
}

export interface EtcdClient {
  readonly endpoints: readonly Endpoint[]
  /** The answer. `what` says in an error what was asked. @throws StoreError; what aborted `signal` */
  readonly call: <Out, In>(method: Method<Out, In>, request: In, what: string, signal: AbortSignal) => Promise<Out>
  /** A connection to the endpoint that answered last, for a stream that ends when its server has no leader. With `isAnew`
   *  to the next one, with a new token. @throws StoreError */
  readonly line: (isAnew: boolean, signal: AbortSignal) => Promise<Line>
  readonly close: () => void
}

/** `grpc.status`: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const DEADLINE_EXCEEDED = 4
const PERMISSION_DENIED = 7
const INTERNAL = 13
const UNAVAILABLE = 14

/** Whether another endpoint may do better. */
const isOfEndpoint = (error: unknown): boolean =>
  [DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE].includes(statusOf(error) ?? -1)

/** What etcd says of a token that it does not know (any more). etcd api/v3rpc/rpctypes/error.go. */
const isOfToken = (error: unknown): boolean =>
  /invalid auth token|revision of auth store is old/.test(statusOf(error) === undefined ? '' : detailsOf(error))

const ADVICE: readonly (readonly [found: RegExp, advice: string])[] = [
  [/user name is empty/, 'it asks for a user: give --etcd-username and --etcd-password'],
  [/authentication failed/, 'is --etcd-username with its --etcd-password right?'],
]

const refusal = (error: unknown, what: string, username: string): unknown => {
  if (statusOf(error) === undefined) return error
  const details = detailsOf(error)
  const advice =
    statusOf(error) === PERMISSION_DENIED
      ? `user "${username}" needs a role with readwrite permission for the prefix`
      : ADVICE.find(([found]) => found.test(details))?.[1]
  return new StoreError(`etcd does not ${what}: ${details}${advice === undefined ? '' : `; ${advice}`}`, {
    cause: error,
  })
}

export const openClient = (access: EtcdAccess): EtcdClient => {
  const { username, password, patience } = access
  const endpoints = parseEndpoints(access.endpoints, access)
  let current = 0
  let connection: Connection | undefined
  let token: string | undefined

  const open = async (): Promise<Connection> => {
    const endpoint = endpoints[current % endpoints.length] as Endpoint
    return connect(await import('./grpc-library.ts'), endpoint, access, access.keepalive)
  }
  const drop = (): void => {
    connection?.close()
    connection = undefined
  }

  /** Asks one endpoint after the other, each once. */
  const ask = async <Out, In>(
    method: Method<Out, In>,
    request: In,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<Out> => {
    const failures: string[] = []
    for (; failures.length < endpoints.length; current++) {
      try {
        connection ??= await open()
        return await connection.call(method, request, headers, patience, signal)
      } catch (error) {
        if (!isOfEndpoint(error)) throw error
        failures.push(`${endpoints[current % endpoints.length]?.url} (${detailsOf(error)})`)
        drop()
      }
    }
    throw new StoreError(`etcd does not answer: ${failures.join(', ')}`)
  }

  /** A cluster without authentication knows no user: then none is named, as etcd's own client does. */
  const authenticate = async (signal: AbortSignal): Promise<string> => {
    try {
      return (await ask(AUTHENTICATE, { name: username, password }, {}, signal)).token
    } catch (error) {
      if (statusOf(error) !== undefined && /authentication is not enabled/.test(detailsOf(error))) return ''
      throw error
    }
  }

  const headers = async (signal: AbortSignal): Promise<Headers> => {
    if (username === '') return {}
    token ??= await authenticate(signal)
    return token === '' ? {} : { token }
  }

  const askAsUser = async <Out, In>(method: Method<Out, In>, request: In, signal: AbortSignal): Promise<Out> => {
    try {
      return await ask(method, request, await headers(signal), signal)
    } catch (error) {
      if (!isOfToken(error)) throw error
      token = undefined
      return ask(method, request, await headers(signal), signal)
    }
  }

  const explained = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw refusal(error, what, username)
    }
  }

  return {
    endpoints,
    call: (method, request, what, signal) => explained(what, () => askAsUser(method, request, signal)),
    line: (isAnew, signal) =>
      explained('let in', async () => {
        if (isAnew) {
          drop()
          current++
          token = undefined
        }
        const { watch, close } = await open()
        const sent = { ...(await headers(signal)), hasleader: 'true' }
        return { watch: (events) => watch(sent, events), close }
      }),
    close: drop,
  }
}
