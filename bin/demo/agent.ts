/** The agents of the second stage: `podwire agent` in a node's namespace. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import type { AgentStatus } from '../../agent/status.ts'
import { type ClusterNode, STORE, subnetFileOf } from './cluster.ts'
import { run, within } from './command.ts'
import { BIN_FOLDER } from './pods.ts'

const PATIENCE_MS = 15_000
const POLL_MS = 20

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Milliseconds until `condition` holds. @throws Error when it does not in 15 s */
export const until = async (what: string, condition: () => Promise<boolean>): Promise<number> => {
  const start = performance.now()
  while (performance.now() - start < PATIENCE_MS) {
    if (await condition()) return performance.now() - start
    await pause(POLL_MS)
  }
  throw new Error(`${what}: not after ${PATIENCE_MS / 1000} s`)
}

const runDirOf = ({ folder }: ClusterNode): string => `${folder}/run`

const optionsOf = (node: ClusterNode): readonly string[] => [
  ...['--store', 'file', '--store-dir', STORE, '--iface', 'eth0', '--ip-masq'],
  ...['--run-dir', runDirOf(node), '--state-dir', `${node.folder}/state`, '--subnet-file', subnetFileOf(node)],
  ...['--healthz-port', '0', '--probe-interval', '1'],
]

/** Starts the agent of a node; its log goes to `agent.log` in the node's folder. It ends with the demo. */
export const startAgent = (node: ClusterNode): ChildProcess => {
  const [file = '', ...args] = within(node.name, [`${BIN_FOLDER}/podwire`, 'agent', ...optionsOf(node)])
  const log = openSync(`${node.folder}/agent.log`, 'a')
  return spawn(file, args, { stdio: ['ignore', log, log] })
}

/** Ends an agent by `signal` and waits until it has ended. */
export const endAgent = (agent: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    agent.once('exit', () => resolve())
    agent.kill(signal)
  })

/** What the story reads of `podwire node status --json`: `AgentStatus` of agent/status.ts. */
export type NodeStatus = Pick<AgentStatus, 'isReady' | 'lease' | 'peers'>

/** What the agent of a node says of itself; undefined while there is none to ask. */
export const statusOf = async (node: ClusterNode): Promise<NodeStatus | undefined> => {
  try {
    const argv = [`${BIN_FOLDER}/podwire`, 'node', 'status', '--run-dir', runDirOf(node), '--json']
    return JSON.parse((await run(within(node.name, argv))).stdout) as NodeStatus
  } catch {
    return undefined
  }
}

/** The fault that `podwire node ping` finds on the way to each peer: '' for none. Ends with status 1 when there is one. */
export const faultsOf = async (node: ClusterNode): Promise<readonly string[]> => {
  const command = `${BIN_FOLDER}/podwire node ping --run-dir ${runDirOf(node)} || [ $? = 1 ]`
  const { stdout } = await run(within(node.name, ['sh', '-c', command]))
  const results = [...stdout.matchAll(/^10\.\S+-\d+ .* (ok|[A-Z ]+:)/gm)]
  return results.map(([, result = '']) => (result === 'ok' ? '' : result.trim().replace(':', '')))
}
