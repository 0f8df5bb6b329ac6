/** A real etcd-server of one member, on ports of its own, and etcdctl to look at it and to play flanneld. */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { EtcdStoreOptions } from '../../agent/store/etcd.ts'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { must, type Output, run } from '../support/command.ts'
import { inside } from '../support/netns.ts'

/** Flags for TLS and the like. */
export interface EtcdOptions {
  readonly flags?: readonly string[]
  /** What etcdctl needs to be let in. */
  readonly control?: readonly string[]
  readonly scheme?: 'http' | 'https'
  /** Name of the namespace it runs in, and its address there; loopback of this one when left out. */
  readonly netns?: string
  readonly address?: string
}

export interface Etcd {
  readonly url: string
  readonly port: number
  /** stdout of etcdctl. @throws Error when its status is not 0 */
  readonly control: (...args: readonly string[]) => string
  /** SIGKILL; what it had stays. */
  readonly kill: () => Promise<void>
  /** Again, on what it had, or with `isEmpty` on nothing. */
  readonly start: (isEmpty?: boolean) => Promise<void>
  /** Neither dead nor alive. */
  readonly freeze: () => void
  readonly thaw: () => void
}

/** A port of loopback that nobody listens on. */
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const PATIENCE = 30_000
/** Elections of a server that is alone are quick, and so is the end of a short lease. */
const QUICK = ['--heartbeat-interval=20', '--election-timeout=200', '--grpc-keepalive-min-time=200ms']

export const startEtcd = async (options: EtcdOptions = {}): Promise<Etcd> => {
  const { flags = [], control = [], scheme = 'http', netns, address = '127.0.0.1' } = options
  const there = (program: readonly string[]): readonly string[] =>
    netns === undefined ? program : inside(netns, program)
  const folder = makeFolder('etcd')
  const [port, peerPort] = [await freePort(), await freePort()]
  const url = `${scheme}://${address}:${port}`
  const peer = `http://${address}:${peerPort}`
  const argv = [
    `--data-dir=${folder}/data`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=error',
    ...QUICK,
    ...flags,
  ]
  let child: ChildProcess | undefined
  const env = { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' }
  const etcdctl = (args: readonly string[]): Output =>
    run(there(['etcdctl', `--endpoints=${url}`, '--command-timeout=10s', ...control, ...args]), { env })
  const isUp = (): boolean => etcdctl(['--dial-timeout=1s', 'endpoint', 'health']).status === 0

  const kill = async (): Promise<void> => {
    child?.kill('SIGKILL')
    if (child !== undefined) await ended(child)
  }
  const start = async (isEmpty = false): Promise<void> => {
    if (isEmpty) rmSync(`${folder}/data`, { recursive: true, force: true })
    // it does not outlive the test, however that ends
    child = spawn('setpriv', ['--pdeathsig', 'KILL', ...there(['etcd', ...argv])], { stdio: 'ignore', env })
    for (const deadline = Date.now() + PATIENCE; !isUp(); await sleep(30))
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`etcd ${argv.join(' ')} did not come up`)
  }
  onCleanup(() => child?.kill('SIGKILL'))
  await start()
  return {
    url,
    port,
    kill,
    start,
    control: (...args) => must(there(['etcdctl', `--endpoints=${url}`, ...control, ...args]), { env }),
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
  }
}

/** Options of a store; a machine that is busy may take a second for anything. */
export const storeOptions = (etcdEndpoints: string, more: Partial<EtcdStoreOptions> = {}): EtcdStoreOptions => ({
  etcdEndpoints,
  etcdPrefix: '/coreos.com/network',
  etcdCafile: '',
  etcdCertfile: '',
  etcdKeyfile: '',
  etcdUsername: '',
  etcdPassword: '',
  keepalive: { time: 3000, timeout: 3000 },
  ...more,
})
