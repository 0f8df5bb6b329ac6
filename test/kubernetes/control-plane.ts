/** etcd, kube-apiserver and kube-controller-manager, in the network namespace of this process, which is the test's own:
 *  everything listens on ADDRESS. */
import { spawn } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { controlPlane } from './binaries.ts'
import { type Answer, type Caller, callerOf } from './caller.ts'
import { makePki, type Pki } from './pki.ts'

export const ADDRESS = '192.0.2.250'
export const CLUSTER_CIDRS = ['10.244.0.0/16', 'fd00:10:244::/56'] as const
const ETCD = 'http://127.0.0.1:2379'
const ADMIN_TOKEN = 'admin-of-the-test'
/** Of Kubernetes 1.20; stable and without a gate from 1.23 on. */
const DUAL_STACK = '--feature-gates=IPv6DualStack=true'

interface Program {
  readonly stop: () => Promise<void>
  readonly log: () => string
}

const start = (folder: string, argv: readonly string[]): Program => {
  const [file = '', ...args] = argv
  const path = `${folder}/${file.slice(file.lastIndexOf('/') + 1)}.log`
  const log = openSync(path, 'a')
  const child = spawn(file, args, { cwd: folder, stdio: ['ignore', log, log] })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  onCleanup(() => child.kill('SIGKILL'))
  return {
    stop: async () => {
      child.kill('SIGTERM')
      const killing = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(killing)
    },
    log: () => readFileSync(path, 'utf8').split('\n').slice(-20).join('\n'),
  }
}

const etcdArgv = (folder: string): readonly string[] => [
  'etcd',
  ...['--data-dir', `${folder}/etcd`, '--log-level', 'error', '--listen-peer-urls', 'http://127.0.0.1:2380'],
  ...['--listen-client-urls', ETCD, '--advertise-client-urls', ETCD],
]

const apiServerArgv = (folder: string, pki: Pki): readonly string[] => {
  const { key, cert } = pki.server('apiserver', [ADDRESS, '127.0.0.1'])
  writeFileSync(`${folder}/tokens.csv`, `${ADMIN_TOKEN},admin,1,system:masters\n`)
  must(['openssl', 'genrsa', '-out', `${folder}/accounts.key`, '2048'])
  return [
    `${controlPlane()}/kube-apiserver`,
    `--etcd-servers=${ETCD}`,
    `--bind-address=${ADDRESS}`,
    `--advertise-address=${ADDRESS}`,
    '--secure-port=6443',
    '--insecure-port=0',
    `--cert-dir=${folder}/certs`,
    `--tls-cert-file=${cert}`,
    `--tls-private-key-file=${key}`,
    `--client-ca-file=${pki.ca}`,
    `--token-auth-file=${folder}/tokens.csv`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://test',
    `--service-account-key-file=${folder}/accounts.key`,
    `--service-account-signing-key-file=${folder}/accounts.key`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
    '--endpoint-reconciler-type=none',
    DUAL_STACK,
  ]
}

const controllersArgv = (folder: string, kubeconfig: string): readonly string[] => [
  `${controlPlane()}/kube-controller-manager`,
  `--kubeconfig=${kubeconfig}`,
  '--controllers=nodeipam,daemonset,serviceaccount,serviceaccount-token',
  '--allocate-node-cidrs=true',
  `--cluster-cidr=${CLUSTER_CIDRS.join(',')}`,
  '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
  `--service-account-private-key-file=${folder}/accounts.key`,
  '--leader-elect=false',
  '--port=0',
  '--secure-port=0',
  DUAL_STACK,
]

export interface Cluster {
  readonly url: string
  readonly pki: Pki
  /** Path of an administrator's. */
  readonly kubeconfig: string
  readonly api: Caller
  readonly stopApiServer: () => Promise<void>
  /** Returns when it is ready. */
  readonly startApiServer: () => Promise<void>
  /** Forgets all history. */
  readonly compact: () => void
}

const READY_WITHIN = 120_000

const untilReady = async (api: Caller, { log }: Program): Promise<void> => {
  for (const end = Date.now() + READY_WITHIN; ; await sleep(50)) {
    const answer: Answer | undefined = await api('GET', '/readyz').catch(() => undefined)
    if (answer?.status === 200) return
    if (Date.now() > end) throw new Error(`kube-apiserver is not ready:\n${log()}`)
  }
}

const kubeconfigFor = (folder: string, url: string, pki: Pki): string => {
  const path = `${folder}/kubeconfig`
  const text = {
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': pki.ca } }],
    users: [{ name: 'admin', user: { token: ADMIN_TOKEN } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  }
  writeFileSync(path, JSON.stringify(text))
  return path
}

/** A cluster without nodes. */
export const startCluster = async (): Promise<Cluster> => {
  const [folder, pki, url] = [makeFolder('cluster'), makePki(), `https://${ADDRESS}:6443`]
  const kubeconfig = kubeconfigFor(folder, url, pki)
  const api = callerOf(url, pki, ADMIN_TOKEN)
  const argv = apiServerArgv(folder, pki)
  start(folder, etcdArgv(folder))
  let server: Program | undefined
  const startApiServer = async (): Promise<void> => {
    server = start(folder, argv)
    await untilReady(api, server)
  }
  await startApiServer()
  start(folder, controllersArgv(folder, kubeconfig))
  return {
    url,
    pki,
    kubeconfig,
    api,
    startApiServer,
    stopApiServer: async () => server?.stop(),
    compact: () => {
      const env = { ETCDCTL_API: '3', PATH: '/usr/bin:/bin' }
      const [status] = JSON.parse(must(['etcdctl', '--endpoints', ETCD, 'endpoint', 'status', '-w', 'json'], { env }))
      must(['etcdctl', '--endpoints', ETCD, 'compact', String(status.Status.header.revision)], { env })
    },
  }
}
