/** `host-local` as a runtime executes it: podwire's and the reference's on one data folder. Both touch files alone, so no
 *  namespace is needed. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { must, run } from '../support/command.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'

export const NETWORK = 'pods'

export interface Ended {
  readonly status: number
  /** stdout as JSON; undefined when it is empty. */
  readonly json: Answer | undefined
}

interface Answer {
  readonly ips?: readonly { readonly address: string }[]
  readonly code?: number
  readonly msg?: string
  readonly details?: string
}

export interface Request {
  readonly verb: string
  readonly containerID: string
  readonly ifName?: string
  readonly args?: string
  /** Put before the executable. */
  readonly wrap?: readonly string[]
  /** Keys added to the configuration. */
  readonly conf?: object
}

export interface Pool {
  readonly dataDir: string
  readonly folder: string
  readonly index: string
  /** One call of the executable in `bin`. */
  readonly call: (bin: string, request: Request) => Ended
  /** As `call`, several at a time. */
  readonly start: (bin: string, request: Request) => Promise<Ended>
  readonly reserved: () => readonly string[]
  /** Reservations and last addresses by name. */
  readonly files: () => Readonly<Record<string, string>>
}

export const ours = binDir
export const theirs = (): string => REFERENCE

const environmentOf = (
  bin: string,
  { verb, containerID, ifName = 'eth0', args = '' }: Request,
): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  CNI_COMMAND: verb,
  CNI_CONTAINERID: containerID,
  CNI_NETNS: '/run/netns/none',
  CNI_IFNAME: ifName,
  CNI_ARGS: args,
  CNI_PATH: bin,
})

const answerIn = (text: string): Answer | undefined => (text.trim() === '' ? undefined : (JSON.parse(text) as Answer))

const startCall = (argv: readonly string[], env: Record<string, string>, input: string): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const [file = '', ...args] = argv
    const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (status, signal) =>
      resolve({ status: status ?? (signal === null ? -1 : 128), json: answerIn(stdout) }),
    )
    child.stdin.end(input)
  })

/** A pool with the `ipam` keys given; `cniVersion` is the newest both implementations take. */
export const makePool = (ipam: object, dataDir = makeFolder('pool')): Pool => {
  const folder = `${dataDir}/${NETWORK}`
  const textOf = ({ conf = {} }: Request): string =>
    JSON.stringify({
      cniVersion: '1.0.0',
      name: NETWORK,
      type: 'host-local',
      ipam: { type: 'host-local', dataDir, ...ipam },
      ...conf,
    })
  const argvOf = (bin: string, { wrap = [] }: Request): readonly string[] => [...wrap, `${bin}/host-local`]
  const reserved = (): readonly string[] =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => /^[0-9a-f]*[.:]/.test(name))
          .sort()
      : []
  return {
    dataDir,
    folder,
    index: `${dataDir}/.podwire/${NETWORK}`,
    call: (bin, request) => {
      const { status, stdout } = run(argvOf(bin, request), { input: textOf(request), env: environmentOf(bin, request) })
      return { status, json: answerIn(stdout) }
    },
    start: (bin, request) => startCall(argvOf(bin, request), environmentOf(bin, request), textOf(request)),
    reserved,
    files: () => {
      const names = existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'lock') : []
      return Object.fromEntries(names.sort().map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]))
    },
  }
}

export const addressesOf = ({ json }: Ended): readonly string[] => (json?.ips ?? []).map(({ address }) => address)

/** A mount namespace of its own, kept until the clean-up. */
export interface Mounts {
  /** Put before a command that is to run in it. */
  readonly wrap: readonly string[]
  /** Runs a shell script in it, which stops at its first error. */
  readonly shell: (script: string) => string
  /** A path in it, as this process finds it. */
  readonly seen: (path: string) => string
}

export const makeMounts = async (): Promise<Mounts> => {
  const keeper = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', 'echo ready; exec sleep 3600'])
  onCleanup(() => keeper.kill('SIGKILL'))
  await new Promise((resolve) => keeper.stdout.once('data', resolve))
  const wrap = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`]
  return {
    wrap,
    shell: (script) => must([...wrap, 'sh', '-euc', script]),
    seen: (path) => `/proc/${keeper.pid}/root${path}`,
  }
}
