/** Questions to the agent of this node, over the unix socket in its run directory. */
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'

export const RUN_FOLDER = '/run/podwire'
const PATIENCE_MS = 10_000

const isNobody = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')

const unavailable = (socket: string, error: unknown): CniError =>
  isNobody(error)
    ? new CniError(
        ERR_UNAVAILABLE,
        `no agent runs on this node: nobody answers at ${socket}`,
        'start it with: podwire agent\nif it runs with another --run-dir, name that here too',
        { cause: error },
      )
    : new CniError(ERR_UNAVAILABLE, `the agent at ${socket} cannot be asked: ${(error as Error).message}`, '', {
        cause: error,
      })

interface Answer {
  readonly status: number
  readonly text: string
}

const fetchText = async (socketPath: string, path: string): Promise<Answer> => {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, timeout: PATIENCE_MS }, (response) => {
      const parts: string[] = []
      response.setEncoding('utf8')
      response.on('data', (part: string) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: parts.join('') }))
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${PATIENCE_MS / 1000} s`)))
    asked.on('error', reject)
    asked.end()
  })
}

/** The agent's answer to `GET path` as it is typed in agent/status.ts. @throws CniError 50 when no agent runs, it does not
 *  answer, or has nothing to say yet */
export const askAgent = async <T>(runFolder: string, path: '/status' | '/plan'): Promise<T> => {
  const socket = `${runFolder}/agent.sock`
  try {
    const { status, text } = await fetchText(socket, path)
    if (status !== 200) throw new Error(text.trim())
    return JSON.parse(text) as T
  } catch (error) {
    throw unavailable(socket, error)
  }
}
