/** `podwire agent` in the namespace of a test's node, and what it says of itself. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import type { AgentStatus } from '../../agent/status.ts'
import { addon } from '../../native/addon.ts'
import { makeFolder, onCleanup } from './cleanup.ts'
import { inside } from './netns.ts'
import { waitFor } from './probe.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
/** Without the options of an agent. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:PODWIRE|FLANNELD)_/.test(name)),
)
const LONGEST = 1 << 26

export interface AgentOptions {
  /** Name of the node's namespace. */
  readonly netns: string
  /** For the agent's files: `run`, `state`, `subnet.env`, `log`. A new one when absent; the same one for a restart. */
  readonly folder?: string
  /** Further arguments, such as `--store-dir DIR`. */
  readonly args: readonly string[]
}

export interface Agent {
  readonly pid: number
  readonly folder: string
  readonly subnetFile: string
  /** What it logged so far. */
  readonly log: () => string
  /** `GET PATH` over its socket. @throws Error while nobody listens there */
  readonly get: (path: string) => unknown
  /** `GET /status`; undefined while nobody listens there. */
  readonly status: () => AgentStatus | undefined
  /** Sends a signal (SIGTERM when absent) and waits until it has ended. */
  readonly end: (signal?: 'SIGTERM' | 'SIGKILL' | 'SIGINT') => void
}

/** HTTP/1.0, so that the answer ends with the connection. */
const request = (socketPath: string, path: string): unknown => {
  const fd = addon().connectUnix(socketPath)
  try {
    addon().writeText(fd, `GET ${path} HTTP/1.0\r\n\r\n`)
    const answer = addon().readText(fd, LONGEST)
    return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
  } finally {
    closeSync(fd)
  }
}

const isRunning = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))

/** Starts an agent without HTTP port. It is ended at the clean-up. Returns at once: wait for what the test needs. */
export const startAgent = ({ netns, folder = makeFolder('agent'), args }: AgentOptions): Agent => {
  const [runDir, subnetFile, logFile] = [`${folder}/run`, `${folder}/subnet.env`, `${folder}/log`]
  const log = openSync(logFile, 'a')
  const paths = [
    '--run-dir',
    runDir,
    '--subnet-file',
    subnetFile,
    '--healthz-port',
    '0',
    '--state-dir',
    `${folder}/state`,
  ]
  const [file = '', ...rest] = inside(netns, [PODWIRE, 'agent', ...paths, ...args])
  const child = spawn(file, rest, { stdio: ['ignore', log, log], env: ENVIRONMENT })
  closeSync(log)
  const pid = child.pid ?? 0
  const end = (signal: NodeJS.Signals = 'SIGTERM'): void => {
    child.kill(signal)
    if (!waitFor(() => !isRunning(pid), 15_000)) child.kill('SIGKILL')
  }
  onCleanup(() => end('SIGKILL'))
  const get = (path: string): unknown => request(`${runDir}/agent.sock`, path)
  const status = (): AgentStatus | undefined => {
    try {
      return get('/status') as AgentStatus
    } catch {
      return undefined
    }
  }
  return { pid, folder, subnetFile, log: () => readFileSync(logFile, 'utf8'), get, status, end }
}

/** Milliseconds: a guest in software on a busy machine takes its time. */
const PATIENCE = 60_000

/** Waits until an agent is ready, and `holds` of its status. @throws Error with its log when it is not within a minute */
export const untilReady = (agent: Agent, holds: (status: AgentStatus) => boolean = () => true): AgentStatus => {
  let status: AgentStatus | undefined
  const isThere = waitFor(() => {
    status = agent.status()
    return status?.isReady === true && holds(status)
  }, PATIENCE)
  if (isThere && status !== undefined) return status
  throw new Error(`the agent is not as it should be after a minute\n${JSON.stringify(status)}\n${agent.log()}`)
}
