/** TCP between pods of two nodes: over the overlay that agents made, and over the same device made by hand with `ip`. */
import { spawn } from 'node:child_process'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { onCleanup } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { inside, makeNetns, mustIn, shellIn } from '../support/netns.ts'
import { ping, waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'
import { makeFleet } from './fleet.ts'
import { leastRatioRow, type Row } from './row.ts'
import { summaryOf } from './statistics.ts'

const ROUNDS = 5
const SECONDS = 3
const MTU = 1450

interface Lane {
  /** Namespaces of two pods on two nodes, and the address of the second. */
  readonly from: string
  readonly to: string
  readonly address: string
}

/** A pod as `ptp` makes it: a veth pair, routed. */
const makePod = (node: UnderlayNode, base: string): string => {
  const pod = makeNetns('bench-pod')
  must(['ip', '-n', node.netns, 'link', 'add', 'pod0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod])
  shellIn(
    node.netns,
    `ip link set pod0 up mtu ${MTU}; ip addr add ${base}.1/32 dev pod0; ip route add ${base}.2 dev pod0
     sysctl -qw net.ipv4.ip_forward=1`,
  )
  shellIn(
    pod,
    `ip link set lo up; ip link set eth0 up mtu ${MTU}; ip addr add ${base}.2/32 dev eth0
     ip route add ${base}.1 dev eth0; ip route add default via ${base}.1`,
  )
  return pod
}

const laneOf = (nodes: readonly UnderlayNode[], bases: readonly string[]): Lane => {
  const [from = '', to = ''] = nodes.map((node, i) => makePod(node, bases[i] ?? ''))
  const lane = { from, to, address: `${bases[1]}.2` }
  if (!waitFor(() => ping(from, lane.address))) throw new Error(`${from} does not reach ${lane.address}`)
  const [file = '', ...args] = inside(to, ['iperf3', '-s'])
  const server = spawn(file, args, { stdio: 'ignore' })
  onCleanup(() => server.kill('SIGKILL'))
  return lane
}

const baseOf = (subnet = ''): string => subnet.slice(0, subnet.lastIndexOf('.'))

const laneOfAgents = (): Lane => {
  const { nodes } = makeUnderlay(2, 'bench-agents')
  const { folder } = makeFleet(0)
  const agents: Agent[] = nodes.map(({ netns }) =>
    startAgent({ netns, args: ['--store', 'file', '--store-dir', folder, '--iface', 'eth0'] }),
  )
  const bases = agents.map((agent) =>
    baseOf(untilReady(agent, ({ peers }) => peers.length === 1).lease?.subnet?.split('/')[0]),
  )
  return laneOf(nodes, bases)
}

const MACS = ['0e:00:00:00:00:01', '0e:00:00:00:00:02'] as const
const HAND_BASES = ['10.1.1', '10.1.2'] as const

const makeByHand = (node: UnderlayNode, other: UnderlayNode, own: 0 | 1): void => {
  const [base, peer] = own === 0 ? HAND_BASES : [HAND_BASES[1], HAND_BASES[0]]
  shellIn(
    node.netns,
    `ip link add flannel.1 address ${MACS[own]} mtu ${MTU} type vxlan id 1 local ${node.ipv4} dev eth0 dstport 8472 nolearning
     ip addr add ${base}.0/32 dev flannel.1; ip link set flannel.1 up
     ip neigh replace ${peer}.0 lladdr ${MACS[own === 0 ? 1 : 0]} dev flannel.1 nud permanent
     bridge fdb replace ${MACS[own === 0 ? 1 : 0]} dev flannel.1 dst ${other.ipv4} self permanent
     ip route replace ${peer}.0/24 via ${peer}.0 dev flannel.1 onlink`,
  )
}

const laneByHand = (): Lane => {
  const { nodes } = makeUnderlay(2, 'bench-hand')
  const [first, second] = nodes
  if (first === undefined || second === undefined) throw new Error('two nodes were asked for')
  makeByHand(first, second, 0)
  makeByHand(second, first, 1)
  return laneOf(nodes, HAND_BASES)
}

/** Gbit/s that the second pod received. */
const gigabits = ({ from, address }: Lane): number => {
  const report = mustIn(from, ['iperf3', '-J', '-c', address, '-t', String(SECONDS)])
  const { end } = JSON.parse(report) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } }
  }
  return end.sum_received.bits_per_second / 1e9
}

/** One after the other, the order changed with each round. */
export const throughputRow = (): Row => {
  const lanes = { podwire: laneOfAgents(), reference: laneByHand() }
  const pairs = Array.from({ length: ROUNDS }, (_, round) => {
    if (round % 2 === 0) {
      const podwire = gigabits(lanes.podwire)
      return { podwire, reference: gigabits(lanes.reference) }
    }
    const reference = gigabits(lanes.reference)
    return { podwire: gigabits(lanes.podwire), reference }
  })
  return leastRatioRow('pod to pod over VXLAN, TCP (Gbit/s; reference: by hand)', summaryOf(pairs), 0.97)
}
