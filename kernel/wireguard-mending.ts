/** The peers of WireGuard devices brought to a plan: one dump of each device, and only what differs is written. */
import type { Ip } from '../addr/ip.ts'
import { ENODEV, NetlinkError } from '../netlink/error.ts'
import { getWireguard, type WireguardPeer } from '../netlink/wireguard-dump.ts'
import type { Kernel } from './kernel.ts'
import type { Log } from './outcome.ts'
import type { Scope } from './ownership.ts'
import type { Plan } from './plan.ts'
import { type Device, devicesOf, isOn, isPeer, type PeerSet, writeDevice } from './wireguard-batch.ts'
import { peerDifference, type WireguardPeerFact } from './wireguard-peer.ts'

/** A peer that no plan has, as a fact. */
const staleFact = ({ ns, dev }: Device, { endpoint, ...peer }: WireguardPeer): WireguardPeerFact => ({
  kind: 'wireguard-peer',
  ns,
  dev,
  publicKey: peer.publicKey,
  endpoint: endpoint ?? { ip: '0.0.0.0' as Ip, port: 0 },
  allowedIPs: peer.allowedIPs,
  keepalive: peer.keepalive,
})

/** What is to be set, and the peers that no fact is about. */
const compare = (
  facts: readonly WireguardPeerFact[],
  found: readonly WireguardPeer[],
): { readonly sets: readonly PeerSet[]; readonly left: readonly WireguardPeer[] } => {
  const left = new Map(found.map((peer) => [peer.publicKey, peer]))
  const sets: PeerSet[] = []
  for (const fact of facts) {
    const before = left.get(fact.publicKey)
    left.delete(fact.publicKey)
    if (peerDifference(fact, before) !== undefined)
      sets.push({ fact, before, why: before === undefined ? 'missing' : 'different' })
  }
  return { sets, left: [...left.values()] }
}

/** A handshake costs each side some tenths of a millisecond: thousands at once are left to the traffic that needs them. */
const GREETED_AT_MOST = 500

const greeted = (sets: readonly PeerSet[]): readonly PeerSet[] =>
  sets.length > GREETED_AT_MOST ? sets : sets.map((set) => ({ ...set, greet: set.before === undefined }))

const mendDevice = (
  device: Device,
  facts: readonly WireguardPeerFact[],
  isOwn: boolean,
  kernel: Kernel,
  log: Log,
): void => {
  const found = getWireguard(kernel.generic(device.ns), device.dev)
  if (found === undefined) throw new NetlinkError(`wg show ${device.dev}`, ENODEV)
  const { sets, left } = compare(facts, found.peers)
  const stale = left.map((peer) => ({ fact: staleFact(device, peer), why: 'stale' }) as const)
  writeDevice(device, greeted(sets), isOwn ? stale : [], kernel, log)
}

/** Brings the peers of every WireGuard device of the plan to the plan. Those that it does not have are removed from devices of
 *  `scope`. Never throws for what the kernel refuses. */
export const mendPeers = (plan: Plan, scope: Scope, kernel: Kernel, log: Log): void => {
  const facts = plan.filter((fact) => fact.kind === 'wireguard' || isPeer(fact))
  for (const device of devicesOf(facts)) {
    const own = facts.filter((fact) => isOn(device, fact))
    try {
      mendDevice(device, own.filter(isPeer), device.ns === 'node' && scope.devices.includes(device.dev), kernel, log)
    } catch (error) {
      if (own[0] !== undefined) log.failed(own[0], error)
    }
  }
}
