/** containerd, driven as a kubelet drives it, runs the chain for two pods with a container in each: traffic between them in
 *  both families, a published port from outside and from the pod that publishes it, a restart of containerd, the removal,
 *  and nothing left. The containerd of this Debian release speaks CNI 1.0.0, the newer one 1.1.0. */
import { expect, test } from 'vitest'
import { run } from '../support/command.ts'
import { snapshot } from '../support/leftovers.ts'
import { inside } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, type NodeBed } from '../support/node.ts'
import { binDir } from '../support/plugin.ts'
import { settle } from '../support/probe.ts'
import { type Cri, connect } from './cri/client.ts'
import { type Containerd, newerContainerd, stableContainerd, startContainerd } from './cri/containerd.ts'
import { IMAGE } from './cri/image.ts'
import type { Pod } from './cri/messages.ts'
import { chainList } from './list.ts'
import { added, MEMORY } from './runtime.ts'

const podOf = (name: string, { cgroup }: Containerd, more: Pod = {}): Pod => ({
  metadata: { name, uid: `uid-${name}`, namespace: 'default' },
  hostname: name,
  linux: { cgroupParent: `/${cgroup}` },
  ...more,
})

const SERVE = ['/bin/sh', '-c', 'echo "pod $(hostname)" >/www/index.html; exec httpd -f -p 8080 -h /www']
const WAIT = ['/bin/sh', '-c', 'trap exit TERM; while :; do sleep 60 & wait; done']

/** What an HTTP client gets: `http://HOST:PORT/`, asked until it answers, for at most five seconds. */
const FETCH = 'for i in 1 2 3 4 5 6 7 8 9 10; do timeout 2 busybox wget -qO- "$0" && exit; sleep 0.3; done'
const urlOf = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}/`

interface Running {
  readonly id: string
  readonly addresses: readonly string[]
  /** What the container gets from `host`. */
  readonly fetch: (host: string, port: number) => Promise<string>
}

const runPod = async (cri: Cri, pod: Pod, command: readonly string[]): Promise<Running> => {
  const id = await cri.runPod(pod)
  const container = await cri.runContainer(id, pod, 'main', IMAGE, command)
  const { network } = (await cri.podStatus(id)).status
  const addresses = [network?.ip ?? '', ...(network?.additionalIps ?? []).map(({ ip = '' }) => ip)]
  const fetch = async (host: string, port: number): Promise<string> =>
    (await cri.exec(container, ['/bin/sh', '-c', FETCH, urlOf(host, port)])).stdout.trim()
  return { id, addresses, fetch }
}

const fetchFrom = (netns: string, host: string, port: number): string =>
  run(inside(netns, ['sh', '-c', FETCH, urlOf(host, port)])).stdout.trim()

const stateOf = ({ node, folder }: NodeBed) => snapshot(node, [folder]).filter((line) => !MEMORY.test(line))

const removeAll = async (cri: Cri, ids: readonly string[]): Promise<void> => {
  for (const id of ids) {
    await cri.stopPod(id)
    await cri.removePod(id)
  }
}

const RUNTIMES = [
  { name: 'this release', programs: stableContainerd, cniVersion: '1.0.0', backend: {} },
  { name: 'a newer suite', programs: newerContainerd, cniVersion: '1.1.0', backend: { backend: 'nftables' } },
] as const

test.for(RUNTIMES)(
  'containerd of $name runs two pods of a list of $cniVersion',
  async ({ programs, cniVersion, backend }) => {
    const bed = makeNode(0, 'cri')
    const list = chainList({ cniVersion, dataDir: `${bed.folder}/ipam`, ...backend })
    const containerd = await startContainerd(programs(), bed.node, binDir(), list)
    const cri = connect(containerd.socket)

    const portMappings = [{ protocol: 0, containerPort: 8080, hostPort: 18080 }]
    await removeAll(cri, [await cri.runPod(podOf('first', containerd, { portMappings }))])
    const before = stateOf(bed)

    const server = await runPod(cri, podOf('server', containerd, { portMappings }), SERVE)
    const client = await runPod(cri, podOf('client', containerd), WAIT)
    settle(bed.node)
    expect(server.addresses).toHaveLength(2)
    for (const address of server.addresses) expect(await client.fetch(address, 8080)).toBe('pod server')
    for (const address of [NODE_IPV4, NODE_IPV6]) expect(fetchFrom(bed.outside, address, 18080)).toBe('pod server')
    for (const address of [NODE_IPV4, NODE_IPV6]) expect(await server.fetch(address, 18080)).toBe('pod server')

    await containerd.restart()
    const { conditions = [] } = (await cri.status()).status
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'NetworkReady', status: true }))
    expect([...(await cri.pods())].sort()).toEqual([server.id, client.id].sort())
    expect(await client.fetch(server.addresses[0] ?? '', 8080)).toBe('pod server')

    await removeAll(cri, [server.id, client.id])
    expect(await cri.pods()).toEqual([])
    expect(added(before, stateOf(bed))).toEqual([])
  },
)
