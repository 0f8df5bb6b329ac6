/** `podwire node ping` with the backends that a cut-down kernel lacks. */
import { deepEqual } from 'node:assert/strict'
import { mustIn, runIn } from '../support/netns.ts'
import type { Cases } from './case.ts'
import { type Member, makeCluster, requireTraffic } from './cluster.bed.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
const IPV4 = { Network: '10.244.0.0/16' }
const DUAL = { ...IPV4, EnableIPv6: true, IPv6Network: 'fd00::/48' }

interface Finding {
  readonly family: 4 | 6
  readonly mtu: { readonly device: number; readonly path: number | null }
  readonly fault: { readonly at: string; readonly what: string } | null
}

/** What is at fault by family, or the MTU that was measured; and the exit status. */
const pingFrom = ({ node, agent }: Member) => {
  const args = ['node', 'ping', '--json', '--run-dir', `${agent.folder}/run`]
  const { status, stdout, stderr } = runIn(node.netns, [PODWIRE, ...args])
  if (stdout === '') throw new Error(stderr)
  const { peers } = JSON.parse(stdout) as { readonly peers: readonly Finding[] }
  const found = peers.map(({ family, mtu, fault }) => [
    family,
    fault === null ? mtu.path : `${fault.at}: ${fault.what}`,
  ])
  return { status, found }
}

export const pingCases: Cases = {
  'node ping with wireguard: peers that answer, one that has no device any more, one that is not set here': () => {
    const [first, second] = makeCluster(2, { ...DUAL, Backend: { Type: 'wireguard' } }) as [Member, Member]
    // a handshake that comes before the other side has its peer is tried again after five seconds
    requireTraffic([first, second], [4, 6])
    deepEqual(pingFrom(first), {
      status: 0,
      found: [
        [4, 1420],
        [6, 1420],
      ],
    })

    const key = mustIn(second.node.netns, ['wg', 'show', 'flannel-wg', 'public-key'])
    second.agent.end()
    mustIn(second.node.netns, ['ip', 'link', 'del', 'flannel-wg'])
    const gone = `udp-port: nothing listens on UDP port 51820 of ${second.node.ipv4}: the peer has no wireguard device, or it is down, or a firewall refuses`
    deepEqual(pingFrom(first), {
      status: 1,
      found: [
        [4, gone],
        [6, 1420],
      ],
    })

    mustIn(first.node.netns, ['wg', 'set', 'flannel-wg', 'peer', key, 'remove'])
    deepEqual(pingFrom(first).found, [
      [4, `tunnel: peer ${key} of flannel-wg is missing`],
      [6, 1420],
    ])
  },

  'node ping with ipip: a peer that answers, and one that has no device any more': () => {
    const [first, second] = makeCluster(2, { ...IPV4, Backend: { Type: 'ipip' } }) as [Member, Member]
    deepEqual(pingFrom(first), { status: 0, found: [[4, 1480]] })
    second.agent.end()
    mustIn(second.node.netns, ['ip', 'link', 'del', 'flannel.ipip'])
    const { status, found } = pingFrom(first)
    deepEqual([status, String(found[0]?.[1]).slice(0, 7)], [1, 'tunnel:'])
  },
}
