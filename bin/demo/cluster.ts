/** The second stage: three nodes on a wire, each with one pod.
 *
 *      [ pod1 ] == cni0 [ node1 ] eth0 == p1 \
 *      [ pod2 ] == cni0 [ node2 ] eth0 == p2  [ wire ]      nodes 192.0.2.1, .2, .3
 *      [ pod3 ] == cni0 [ node3 ] eth0 == p3 /              pods from 10.244.0.0/16
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { type Output, run, within } from './command.ts'
import { addNetns } from './topology.ts'

export const WIRE = 'wire'
export const STORE = '/run/cluster/leases'
const NETWORK = '10.244.0.0/16'
export const DEVICE = 'flannel.1'

export interface ClusterNode {
  readonly name: string
  /** The pod's namespace. */
  readonly pod: string
  readonly ipv4: string
  /** The node's port on the wire. */
  readonly port: string
  /** Its files: subnet.env, configuration of CNI, the agent's socket. */
  readonly folder: string
}

export const NODES: readonly ClusterNode[] = [1, 2, 3].map((n) => ({
  name: `node${n}`,
  pod: `pod${n}`,
  ipv4: `192.0.2.${n}`,
  port: `p${n}`,
  folder: `/run/cluster/node${n}`,
}))

export const subnetFileOf = ({ folder }: ClusterNode): string => `${folder}/subnet.env`

export const ipIn = (netns: string, args: string): Promise<Output> => run(within(netns, ['ip', ...args.split(' ')]))

/** The list that kube-flannel installs, with this node's folders: three nodes share one file system here. */
const conflistOf = (node: ClusterNode): object => ({
  cniVersion: '1.0.0',
  name: 'cbr0',
  plugins: [
    {
      type: 'flannel',
      subnetFile: subnetFileOf(node),
      dataDir: `${node.folder}/flannel`,
      ipam: { dataDir: `${node.folder}/networks` },
      delegate: { hairpinMode: true, isDefaultGateway: true },
    },
  ],
})

const makeNode = async (node: ClusterNode): Promise<void> => {
  await addNetns(node.name)
  await run(['ip', '-n', node.name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', node.port, 'netns', WIRE])
  await ipIn(WIRE, `link set ${node.port} master wire up`)
  for (const command of ['link set lo up', 'link set eth0 up', `addr add ${node.ipv4}/24 dev eth0`])
    await ipIn(node.name, command)
  await ipIn(node.name, 'route add default via 192.0.2.254')
  await mkdir(`${node.folder}/net.d`, { recursive: true })
  await writeFile(`${node.folder}/net.d/10-flannel.conflist`, JSON.stringify(conflistOf(node)))
}

/** Makes the wire, the nodes, and an empty store with the network's configuration in it. */
export const makeCluster = async (): Promise<void> => {
  await addNetns(WIRE)
  await ipIn(WIRE, 'link add wire type bridge')
  await ipIn(WIRE, 'link set wire up')
  await ipIn(WIRE, 'addr add 192.0.2.254/24 dev wire')
  for (const node of NODES) await makeNode(node)
  await mkdir(`${STORE}/subnets`, { recursive: true })
  await writeFile(`${STORE}/config.json`, JSON.stringify({ Network: NETWORK, Backend: { Type: 'vxlan' } }))
}
