/** Fact: a WireGuard device has a peer. */
import { type Cidr, networkOf } from '../addr/cidr.ts'
import { ENODEV, NetlinkError } from '../netlink/error.ts'
import { type Endpoint, type PeerSettings, removePeers, setPeers } from '../netlink/wireguard.ts'
import { getWireguard, type WireguardPeer } from '../netlink/wireguard-dump.ts'
import { NO_KEY } from '../netlink/wireguard-key.ts'
import type { Kernel } from './kernel.ts'
import type { Ns, Operations } from './plan.ts'
import { HIDDEN, isSameSecret } from './wireguard.ts'

export interface WireguardPeerFact {
  readonly kind: 'wireguard-peer'
  readonly ns: Ns
  readonly dev: string
  /** Base64. */
  readonly publicKey: string
  /** Base64. Never printed. Left out: none. */
  readonly presharedKey?: string
  readonly endpoint: Endpoint
  readonly allowedIPs: readonly Cidr[]
  /** Seconds; 0: none. */
  readonly keepalive: number
}

const shown = ({ ip, port }: Endpoint): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

export const renderPeer = (fact: WireguardPeerFact): string =>
  [
    `wg set ${fact.dev} peer ${fact.publicKey}`,
    ...(fact.presharedKey === undefined ? [] : [`preshared-key ${HIDDEN}`]),
    `endpoint ${shown(fact.endpoint)}`,
    ...(fact.keepalive === 0 ? [] : [`persistent-keepalive ${fact.keepalive}`]),
    `allowed-ips ${fact.allowedIPs.join(',')}`,
  ].join(' ')

/** Seconds after its handshake that a session carries no more data (REJECT_AFTER_TIME). WireGuard whitepaper §6.1. */
const SESSION_SECONDS = 180

/** The endpoint of a session that works is where the peer's authenticated packets came from: behind a translator of
 *  addresses, or with a second address, it is another than the one published, and a better one. */
const isElsewhere = (fact: WireguardPeerFact, found: WireguardPeer): boolean =>
  (found.endpoint?.ip !== fact.endpoint.ip || found.endpoint.port !== fact.endpoint.port) &&
  Date.now() / 1000 - found.lastHandshake > SESSION_SECONDS

const setOf = (allowedIPs: readonly Cidr[]): string => allowedIPs.map(networkOf).sort().join(',')

/** Why `found` is not the peer that `fact` states; undefined when it is. */
export const peerDifference = (fact: WireguardPeerFact, found: WireguardPeer | undefined): string | undefined => {
  const peer = `peer ${fact.publicKey} of ${fact.dev}`
  if (found === undefined) return `${peer} is missing`
  if (setOf(found.allowedIPs) !== setOf(fact.allowedIPs))
    return `${peer} has the allowed IPs ${setOf(found.allowedIPs) || 'none'}, not ${setOf(fact.allowedIPs)}`
  if (!isSameSecret(fact.presharedKey, found.presharedKey)) return `${peer} has another preshared key`
  if (found.keepalive !== fact.keepalive)
    return `${peer} is kept alive every ${found.keepalive} s, not ${fact.keepalive}`
  if (isElsewhere(fact, found))
    return `${peer} is at ${found.endpoint === undefined ? 'no endpoint' : shown(found.endpoint)}, not ${shown(fact.endpoint)}`
  return undefined
}

/** What to send so that the peer is as `fact` says, whatever it was. */
export const peerSettings = (fact: WireguardPeerFact): PeerSettings => ({
  publicKey: fact.publicKey,
  presharedKey: fact.presharedKey ?? NO_KEY,
  endpoint: fact.endpoint,
  keepalive: fact.keepalive,
  allowedIPs: fact.allowedIPs,
  replaceAllowedIPs: true,
})

const found = (fact: WireguardPeerFact, kernel: Kernel): WireguardPeer | undefined =>
  getWireguard(kernel.generic(fact.ns), fact.dev)?.peers.find(({ publicKey }) => publicKey === fact.publicKey)

const ensure = (fact: WireguardPeerFact, kernel: Kernel): boolean => {
  const socket = kernel.generic(fact.ns)
  const before = found(fact, kernel)
  if (peerDifference(fact, before) === undefined) return false
  for (const message of setPeers(socket, fact.dev, [peerSettings(fact)]))
    socket.request(() => renderPeer(fact), message)
  return before === undefined
}

const remove = (fact: WireguardPeerFact, kernel: Kernel): void => {
  const socket = kernel.generic(fact.ns)
  try {
    for (const message of removePeers(socket, fact.dev, [fact.publicKey]))
      socket.request(() => `wg set ${fact.dev} peer ${fact.publicKey} remove`, message)
  } catch (error) {
    if (!(error instanceof NetlinkError && error.errno === ENODEV)) throw error
  }
}

export const wireguardPeerOperations: Operations<WireguardPeerFact> = {
  render: renderPeer,
  ensure,
  remove,
  drift: (fact, kernel) => peerDifference(fact, found(fact, kernel)),
}
