/** The kubelet's calls: gRPC's unary call is one HTTP/2 POST whose body is five bytes (not compressed; length, big-endian)
 *  and a message, answered alike, with the status in the trailers. github.com/grpc/grpc doc/PROTOCOL-HTTP2.md */
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import {
  CREATE_CONTAINER,
  EMPTY,
  EXEC,
  EXECUTED,
  ID,
  POD_STATUS,
  PODS,
  type Pod,
  RUN_POD,
  STATUS,
  VERBOSE_ID,
  VERSION,
} from './messages.ts'
import type { Message } from './protobuf.ts'

const TIMEOUT = 60_000
const PREFIX = 5

const framed = (body: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(PREFIX)
  prefix.writeUInt32BE(body.length, 1)
  return Buffer.concat([prefix, body])
}

const statusOf = (method: string, headers: IncomingHttpHeaders): Error | undefined => {
  const code = headers['grpc-status']
  if (code === undefined || code === '0') return undefined
  return new Error(`${method}: ${decodeURIComponent(String(headers['grpc-message'] ?? ''))} (gRPC status ${code})`)
}

/** One call over a session of its own: a runtime may be restarted between two. */
const post = (socket: string, method: string, body: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socket) })
    const path = `/runtime.v1.RuntimeService/${method}`
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
    const stream = session.on('error', reject).request(headers)
    const chunks: Buffer[] = []
    const judge = (answer: IncomingHttpHeaders): void => {
      const failure = statusOf(method, answer)
      if (failure !== undefined) reject(failure)
    }
    stream.setTimeout(TIMEOUT, () => stream.destroy(new Error(`${method}: no answer in ${TIMEOUT / 1000} s`)))
    stream.on('response', judge).on('trailers', judge).on('error', reject)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)))
    stream.on('close', () => session.close())
    stream.end(framed(body))
  })

export type Cri = ReturnType<typeof connect>

/** The calls of a runtime that listens on the unix socket `socket`. Each rejects with the runtime's own words. */
export const connect = (socket: string) => {
  const call = async <Q, R>(method: string, query: Message<Q>, reply: Message<R>, value: Partial<Q>): Promise<R> =>
    reply.decode((await post(socket, method, query.encode(value))).subarray(PREFIX))
  return {
    version: () => call('Version', EMPTY, VERSION, {}),
    status: () => call('Status', EMPTY, STATUS, {}),
    /** Returns the pod's id. */
    runPod: async (config: Pod) => (await call('RunPodSandbox', RUN_POD, ID, { config })).id,
    podStatus: (id: string) => call('PodSandboxStatus', VERBOSE_ID, POD_STATUS, { id, verbose: true }),
    pods: async () => (await call('ListPodSandbox', EMPTY, PODS, {})).items.map(({ id = '' }) => id),
    stopPod: (id: string) => call('StopPodSandbox', ID, EMPTY, { id }),
    removePod: (id: string) => call('RemovePodSandbox', ID, EMPTY, { id }),
    /** Creates and starts a container in the pod `pod`, made of `sandboxConfig`. Returns its id. */
    runContainer: async (pod: string, sandboxConfig: Pod, name: string, image: string, command: readonly string[]) => {
      const config = { metadata: { name }, image: { image }, command }
      const { id } = await call('CreateContainer', CREATE_CONTAINER, ID, { podSandboxId: pod, sandboxConfig, config })
      await call('StartContainer', ID, EMPTY, { id })
      return id
    },
    /** What `cmd` did in the container. */
    exec: (containerId: string, cmd: readonly string[]) =>
      call('ExecSync', EXEC, EXECUTED, { containerId, cmd, timeout: 20 }),
  }
}
