/** A node whose flanneld is replaced: what flanneld had made, by the commands that make the same, and leases as it writes
 *  them (flannel pkg/backend/{ipip,wireguard}, pkg/lease `LeaseAttrs`). */
import { deepEqual, equal } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { publicKeyOf } from '../../agent/wireguard-key.ts'
import { type Agent, untilReady } from '../support/agent.ts'
import { ipJson, mustIn, shellIn } from '../support/netns.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'
import type { Cases } from './case.ts'
import { addPod, type Member, makeStore, requireTraffic, starterOf } from './cluster.bed.ts'
import { requireNoLoss, restartAndDelete } from './loss.ts'

const NETWORK = '10.244.0.0/16'
const GONE = 9

/** A private key as flanneld makes one. */
const secretOf = (n: number): string => Buffer.from([n * 8, ...new Array<number>(31).fill(0x40)]).toString('base64')
const publicOf = (n: number): string => publicKeyOf(secretOf(n))

const leaseOf = (n: number, backend: string, data: object | undefined): object => ({
  PublicIP: `192.0.2.${n}`,
  PublicIPv6: null,
  BackendType: backend,
  ...(data === undefined ? {} : { BackendData: data }),
})

interface Flannel {
  readonly backend: string
  readonly device: string
  readonly dataOf: (n: number) => object | undefined
  /** What flanneld of node `n` did: its device, and what leads to node `other` and to one that is gone. */
  readonly script: (n: number, other: number, keyFile: string) => string
}

const ipip: Flannel = {
  backend: 'ipip',
  device: 'flannel.ipip',
  dataOf: () => undefined,
  script: (n, other) => `
    ip link add flannel.ipip type ipip local 192.0.2.${n} nopmtudisc
    ip link set flannel.ipip mtu 1480
    ip addr add 10.244.${n}.0/32 dev flannel.ipip
    ip link set flannel.ipip up
    ip route add 10.244.${other}.0/24 via 192.0.2.${other} dev flannel.ipip onlink
    ip route add 10.244.${GONE}.0/24 via 192.0.2.${GONE} dev flannel.ipip onlink`,
}

const wireguard: Flannel = {
  backend: 'wireguard',
  device: 'flannel-wg',
  dataOf: (n) => ({ PublicKey: publicOf(n), Port: 51820 }),
  script: (n, other, keyFile) => `
    ip link add flannel-wg mtu 1420 type wireguard
    wg set flannel-wg private-key ${keyFile} listen-port 51820
    ip addr add 10.244.${n}.0/32 dev flannel-wg
    ip link set flannel-wg up
    ip route add ${NETWORK} dev flannel-wg scope link
    wg set flannel-wg peer ${publicOf(other)} endpoint 192.0.2.${other}:51820 allowed-ips 10.244.${other}.0/24
    wg set flannel-wg peer ${publicOf(GONE)} endpoint 192.0.2.${GONE}:51820 allowed-ips 10.244.${GONE}.0/24`,
}

type Former = Pick<Member, 'node' | 'keyFile' | 'restart' | 'pod'>

const makeFormer = (node: UnderlayNode, n: number, store: string, { script }: Flannel): Former => {
  const starter = starterOf(node, store)
  writeFileSync(starter.keyFile, secretOf(n), { mode: 0o400 })
  shellIn(node.netns, `sysctl -qw net.ipv4.ip_forward=1; ${script(n, 3 - n, starter.keyFile)}`)
  const pod = { 4: `10.244.${n}.2`, 6: '' }
  addPod(node, pod)
  return { ...starter, pod }
}

const indexOf = ({ netns }: UnderlayNode, device: string): unknown => ipJson(netns, 'link', 'show', device)[0]?.ifindex

/** Both nodes, with agents in place of flanneld. */
const takeOver = (flannel: Flannel): readonly Member[] => {
  const { backend, device, dataOf } = flannel
  const leases = [1, 2].map((n) => [`10.244.${n}.0-24`, leaseOf(n, backend, dataOf(n))] as const)
  const store = makeStore({ Network: NETWORK, Backend: { Type: backend } }, Object.fromEntries(leases))
  const formers = makeUnderlay(2).nodes.map((node, i) => makeFormer(node, i + 1, store, flannel))
  const [first, second] = formers as [Former, Former]
  const before = formers.map(({ node }) => indexOf(node, device))
  const agents: Agent[] = []
  requireNoLoss(`${backend}, flanneld replaced on both nodes`, first, second, () => {
    for (const { restart } of formers) {
      const agent = restart()
      untilReady(agent, ({ peers }) => peers.length === 1)
      agents.push(agent)
    }
  })
  deepEqual(
    formers.map(({ node }) => indexOf(node, device)),
    before,
  )
  return formers.map((former, i) => ({ ...former, agent: agents[i] as Agent, leaseFile: '' }))
}

export const takeoverCases: Cases = {
  'flanneld with ipip is replaced: its device stays, no packet is lost, the route to a node that is gone goes; then kill -9, and the device deleted':
    () => {
      const [first, second] = takeOver(ipip) as [Member, Member]
      for (const [{ node }, n] of [
        [first, 2],
        [second, 1],
      ] as const)
        equal(
          mustIn(node.netns, ['ip', 'route', 'show', 'dev', ipip.device]).trim(),
          `10.244.${n}.0/24 via 192.0.2.${n} proto 112 onlink`,
        )
      restartAndDelete('ipip', [ipip.device], first, second)
      requireTraffic([first, second], [4])
    },

  'flanneld with wireguard is replaced: its key and device stay, no packet is lost, a peer that is gone goes': () => {
    for (const [i, { node }] of takeOver(wireguard).entries()) {
      equal(mustIn(node.netns, ['wg', 'show', wireguard.device, 'public-key']), publicOf(i + 1))
      equal(mustIn(node.netns, ['wg', 'show', wireguard.device, 'peers']), publicOf(2 - i))
    }
  },
}
