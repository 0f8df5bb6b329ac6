/** Calls to etcd as a user, with a token while there is one. */
import { StoreError } from '../store.ts'
import { type Connection, detailsOf, type Headers, type StreamEvents, statusOf } from './connection.ts'
import type { Endpoint } from './endpoint.ts'
import { type MembersAccess, openMembers } from './members.ts'
import { AUTHENTICATE, type Method } from './messages.ts'

export interface EtcdAccess extends MembersAccess {
  /** '' for none. */
  readonly username: string
  readonly password: string
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

/** `grpc.status` */
const PERMISSION_DENIED = 7

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

/** @throws StoreError for endpoints that are none */
export const openClient = (access: EtcdAccess): EtcdClient => {
  const { username, password } = access
  const { endpoints, ask, pass, open, close } = openMembers(access)
  let token: string | undefined

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
          pass()
          token = undefined
        }
        const sent = { ...(await headers(signal)), hasleader: 'true' }
        const line = await open()
        return { watch: (events) => line.watch(sent, events), close: line.close }
      }),
    close,
  }
}
