/** Pods, attached and asked as a runtime and its workload would. */
import { spawn } from 'node:child_process'
import { ROOT } from './build.ts'
import { netnsPath, type Output, run, within } from './command.ts'
import { addNetns, delNetns } from './topology.ts'

export const BIN_FOLDER = '/run/cni-bin'
export const NETWORK = 'podwire'

export interface Pod {
  readonly name: string
  readonly ipv4: string
  readonly ipv6: string
  /** Milliseconds each plugin took for ADD, in order. */
  readonly times: readonly (readonly [plugin: string, ms: number])[]
}

const environment = { NETCONFPATH: `${ROOT}conf/net.d`, CNI_PATH: BIN_FOLDER }

export const podwire = (args: readonly string[]): Promise<Output> =>
  run([`${BIN_FOLDER}/podwire`, ...args], environment)

const TIMING = /^(?:ADD|DEL)\s+(\S+)\s+([\d.]+) ms$/gm

const timesOf = (stderr: string): readonly (readonly [string, number])[] =>
  [...stderr.matchAll(TIMING)].map(([, plugin = '', ms = '']) => [plugin, Number(ms)] as const)

interface AddResult {
  readonly ips: readonly { readonly address: string }[]
}

const addressesOf = (stdout: string): readonly string[] =>
  (JSON.parse(stdout) as AddResult).ips.map(({ address }) => address.slice(0, address.indexOf('/')))

/** A new namespace, attached. @throws Error with podwire's output */
export const attach = async (name: string, capabilities: object = {}): Promise<Pod> => {
  await addNetns(name)
  const { stdout, stderr } = await podwire([
    ...['run', 'add', NETWORK, netnsPath(name), '--timing'],
    ...['--cap-args', JSON.stringify(capabilities)],
  ])
  const [ipv4 = '', ipv6 = ''] = addressesOf(stdout)
  return { name, ipv4, ipv6, times: timesOf(stderr) }
}

/** Milliseconds all plugins took for DEL. @throws Error with podwire's output */
export const detach = async (name: string): Promise<number> => {
  const { stderr } = await podwire(['run', 'del', NETWORK, netnsPath(name), '--timing'])
  return totalOf(timesOf(stderr))
}

const POLL_MS = 20
const PATIENCE_MS = 5000

/** Ends a pod without DEL. The kernel takes its interfaces down a moment later. */
export const lose = async (name: string): Promise<void> => {
  await delNetns(name)
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    if ((await run(['ip', 'link', 'show', 'type', 'veth'])).stdout.match(/link-netns/g)?.length === 1) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

export const check = (name: string): Promise<Output> => podwire(['run', 'check', NETWORK, netnsPath(name)])

export const totalOf = (times: Pod['times']): number => times.reduce((sum, [, ms]) => sum + ms, 0)

const traffic = (...args: readonly string[]): readonly string[] => [
  `${ROOT}node_modules/.bin/bun`,
  `${ROOT}bin/demo/traffic.ts`,
  ...args,
]

/** Starts the server of a namespace; it ends with the demo. */
export const serve = (name: string): Promise<void> => {
  const [file = '', ...args] = within(name, traffic('serve', name))
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('error', reject)
    child.once('exit', (status) => reject(new Error(`the server of ${name} ended with status ${status}`)))
  })
}

/** What a server answers: its name and the address it saw. @throws Error when there is no answer */
export const ask = async (from: string, host: string, port = 80): Promise<string> => {
  const { stdout } = await run(within(from, traffic('ask', host, String(port))))
  return stdout.trim()
}

/** Bits per second that `from` can read from `host` for a while. */
export const pull = async (from: string, host: string, seconds: number): Promise<number> => {
  const { stdout } = await run(within(from, traffic('pull', host, String(seconds))))
  return Number(stdout)
}

/** Round trip in ms. @throws Error when there is no answer */
export const ping = async (from: string, to: string): Promise<number> => {
  const { stdout } = await run(within(from, ['ping', '-n', '-c', '1', '-W', '2', to]))
  return Number(/time=([\d.]+)/.exec(stdout)?.[1])
}
