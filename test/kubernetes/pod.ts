/** `podwire agent`, the built executable, in the surroundings that the manifest, kubelet and a runtime give it. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { onCleanup } from '../support/cleanup.ts'
import { run } from '../support/command.ts'
import { inside, ipJson, mustIn } from '../support/netns.ts'
import { agentContainer, configuration } from './manifest.ts'

const PODWIRE = new URL('../../dist/podwire', import.meta.url).pathname

/** The folders, the service account, the capabilities, /proc/sys that cannot be written to. $1 is the folder that holds the
 *  node's and kubelet's side of them; nothing is seen outside. */
const CONTAINER = `
folder=$1; shift
mkdir -p "$folder/upper" "$folder/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$folder/upper,workdir=$folder/work" overlay /etc
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
for path in /run/flannel /run/podwire /var/lib/podwire /etc/podwire /run/secrets/kubernetes.io/serviceaccount; do
  mkdir -p "$folder$path" "$path"
  mount --bind "$folder$path" "$path"
done
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
exec setpriv --no-new-privs --bounding-set "$CAPABILITIES" --inh-caps "$CAPABILITIES" "$@"`

export interface PodOptions {
  /** Name of the node's network namespace. */
  readonly netns: string
  /** The node's name. */
  readonly name: string
  /** The node's side of the pod's folders: the same again for a restart. */
  readonly folder: string
  readonly server: string
  readonly token: string
  /** Of the certificate that signed the server's. */
  readonly ca: string
}

export interface Pod {
  readonly netns: string
  readonly name: string
  readonly folder: string
  readonly log: () => string
  /** By SIGKILL. */
  readonly kill: () => void
}

const writeFolder = ({ folder, token, ca }: PodOptions): void => {
  const secrets = `${folder}/run/secrets/kubernetes.io/serviceaccount`
  for (const path of [secrets, `${folder}/etc/podwire`]) mkdirSync(path, { recursive: true })
  writeFileSync(`${secrets}/token`, token)
  writeFileSync(`${secrets}/ca.crt`, readFileSync(ca))
  for (const [file, text] of Object.entries(configuration())) writeFileSync(`${folder}/etc/podwire/${file}`, text)
}

const environment = ({ server, name }: PodOptions, capabilities: readonly string[]): Record<string, string> => {
  const { hostname, port } = new URL(server)
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    NODE_NAME: name,
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    CAPABILITIES: ['-all', ...capabilities.map((capability) => `+${capability.toLowerCase()}`)].join(','),
  }
}

/** Starts the agent; it is killed at the clean-up. */
export const startPod = (options: PodOptions): Pod => {
  const { netns, name, folder } = options
  const { command, args, capabilities } = agentContainer()
  writeFolder(options)
  const container = ['unshare', '--mount', 'sh', '-euc', CONTAINER, 'sh', folder, PODWIRE, ...command.slice(1), ...args]
  const [file = '', ...argv] = inside(netns, container)
  const log = openSync(`${folder}/log`, 'a')
  const child = spawn(file, argv, { stdio: ['ignore', log, log], env: environment(options, capabilities) })
  closeSync(log)
  const kill = onCleanup(() => child.kill('SIGKILL'))
  return { netns, name, folder, log: () => readFileSync(`${folder}/log`, 'utf8'), kill }
}

/** What the readiness probe of the manifest would find. */
export const isReady = ({ netns }: Pod): boolean => {
  const { host, port, path } = agentContainer().readinessProbe?.httpGet ?? { host: '', port: 0, path: '' }
  return run(inside(netns, ['curl', '-sf', '-o', '/dev/null', `http://${host}:${port}${path}`])).status === 0
}

/** Subnets that are reached through the overlay, sorted. */
export const routesOf = ({ netns }: Pod): readonly string[] =>
  run(['ip', '-n', netns, 'link', 'show', 'flannel.1']).status === 0
    ? ipJson(netns, 'route', 'show', 'dev', 'flannel.1')
        .map(({ dst }) => String(dst))
        .sort()
    : []

interface ForwardingEntry {
  readonly mac: string
  readonly dst?: string
}

/** `MAC ADDRESS` of each peer. */
export const peersOf = ({ netns }: Pod): readonly string[] =>
  (JSON.parse(mustIn(netns, ['bridge', '-j', 'fdb', 'show', 'dev', 'flannel.1'])) as readonly ForwardingEntry[])
    .filter(({ dst }) => dst !== undefined)
    .map(({ mac, dst }) => `${mac} ${dst}`)
    .sort()
