/** One connection to one endpoint of etcd. gRPC keeps it alive: one over which nothing comes back any more, not even the
 *  answer to a ping, ends every stream on it. */
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import type { ChannelCredentials, Client, Metadata, ServiceError } from '@grpc/grpc-js'
import { type CertificateFiles, type Endpoint, readCertificates } from './endpoint.ts'
import { type Method, WATCH_PATH, WatchRequest, WatchResponse } from './messages.ts'

type Grpc = typeof import('./grpc-library.ts')

/** When a silent connection is asked for a sign of life, and how long that may take, in ms. etcd refuses to be asked more
 *  often than every 5 s (--grpc-keepalive-min-time). */
export interface Keepalive {
  readonly time: number
  readonly timeout: number
}

/** Names and values go with each call: `token`, `hasleader`. */
export type Headers = Readonly<Record<string, string>>

export interface Stream {
  readonly send: (request: Parameters<typeof WatchRequest.encode>[0]) => void
  readonly end: () => void
}

export interface StreamEvents {
  readonly received: (response: ReturnType<typeof WatchResponse.decode>) => void
  /** Once, and nothing after it. */
  readonly ended: (error: Error) => void
}

export interface Connection {
  /** @throws ServiceError of gRPC */
  readonly call: <Out, In>(
    method: Method<Out, In>,
    request: In,
    headers: Headers,
    milliseconds: number,
    signal: AbortSignal,
  ) => Promise<Out>
  readonly watch: (headers: Headers, events: StreamEvents) => Stream
  readonly close: () => void
}

/** A network of 20,000 leases is 5 MiB; gRPC's own limit is 4. */
const LONGEST_MESSAGE = 64 * 2 ** 20

const optionsOf = ({ time, timeout }: Keepalive): Record<string, number> => ({
  'grpc.keepalive_time_ms': time,
  'grpc.keepalive_timeout_ms': timeout,
  'grpc.max_receive_message_length': LONGEST_MESSAGE,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // each connection on its own: what fails is not remembered for the next
  'grpc.use_local_subchannel_pool': 1,
  // a node's way to etcd leads through no proxy, and names have no service configuration in DNS
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
})

const metadataOf = (grpc: Grpc, headers: Headers): Metadata => {
  const metadata = new grpc.Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return metadata
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const callOn =
  (grpc: Grpc, client: Client): Connection['call'] =>
  ({ path, request: message, response }, request, headers, milliseconds, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const call = client.makeUnaryRequest(
        path,
        (value: typeof request) => asBuffer(message.encode(value)),
        response.decode,
        request,
        metadataOf(grpc, headers),
        { deadline: Date.now() + milliseconds },
        (error, value) => {
          signal.removeEventListener('abort', cancel)
          if (error === null && value !== undefined) resolve(value)
          else reject(signal.aborted ? signal.reason : error)
        },
      )
      const cancel = (): void => call.cancel()
      signal.addEventListener('abort', cancel)
    })

const watchOn =
  (grpc: Grpc, client: Client): Connection['watch'] =>
  (headers, { received, ended }) => {
    const encode = (value: Parameters<typeof WatchRequest.encode>[0]): Buffer => asBuffer(WatchRequest.encode(value))
    const call = client.makeBidiStreamRequest(WATCH_PATH, encode, WatchResponse.decode, metadataOf(grpc, headers))
    let isOver = false
    const over = (error: Error): void => {
      if (!isOver) ended(error)
      isOver = true
    }
    call.on('data', (response: ReturnType<typeof WatchResponse.decode>) => {
      if (!isOver) received(response)
    })
    call.on('error', over)
    call.on('end', () => over(new Error('etcd ended the stream')))
    return {
      send: (request) => call.write(request),
      end: () => {
        isOver = true
        call.cancel()
      },
    }
  }

/** What a server is called by in TLS (SNI) that is reached by its address: gRPC would say the address, which RFC 6066 §3 does
 *  not allow and Bun refuses. Its certificate is checked for the address all the same. */
const NAMELESS = 'etcd'

/** Certificates are read now. @throws StoreError */
const credentialsOf = (grpc: Grpc, { tls, host }: Endpoint, files: CertificateFiles): ChannelCredentials => {
  if (!tls) return grpc.credentials.createInsecure()
  const { ca, cert, key } = readCertificates(files)
  return grpc.credentials.createSsl(ca, key, cert, {
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  })
}

/** A connection, which is made with its first call. @throws StoreError when a certificate cannot be read */
export const connect = (grpc: Grpc, endpoint: Endpoint, files: CertificateFiles, keepalive: Keepalive): Connection => {
  const { host, port } = endpoint
  const isAddress = isIP(host) !== 0
  const client = new grpc.Client(
    `${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    credentialsOf(grpc, endpoint, files),
    {
      ...optionsOf(keepalive),
      ...(endpoint.tls && isAddress ? { 'grpc.ssl_target_name_override': NAMELESS } : {}),
    },
  )
  return { call: callOn(grpc, client), watch: watchOn(grpc, client), close: () => client.close() }
}

/** The status that gRPC or etcd answered with, of `grpc.status`; undefined for an error of another sort. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined

/** What gRPC wraps around the reason for which there is no connection. */
const WRAPPING = /^No connection established\. Last error: |\.? Resolution note: *$|(?: \(\d{4}-[\dT:.-]+Z\))/g

/** What it said, without the number in front. */
export const detailsOf = (error: unknown): string =>
  error instanceof Error && 'details' in error ? (error as ServiceError).details.replace(WRAPPING, '') : String(error)
