/** Peers of WireGuard devices written by the thousand: few messages. Peers are set before others are removed, so that a
 *  subnet goes from one to the other (a node with a new key) with no moment in between. */
import { networkOf } from '../addr/cidr.ts'
import { ENODEV, EOPNOTSUPP, EPERM, NetlinkError } from '../netlink/error.ts'
import type { GenericSocket } from '../netlink/generic.ts'
import type { Message } from '../netlink/message.ts'
import { PEERS_PER_MESSAGE, type PeerSettings, removePeers, setPeers } from '../netlink/wireguard.ts'
import type { WireguardPeer } from '../netlink/wireguard-dump.ts'
import type { Kernel } from './kernel.ts'
import type { Log, Reason } from './outcome.ts'
import type { Fact, Ns } from './plan.ts'
import { peerSettings, renderPeer, type WireguardPeerFact } from './wireguard-peer.ts'

export const isPeer = (fact: Fact): fact is WireguardPeerFact => fact.kind === 'wireguard-peer'

/** A peer that is to be as the fact says. */
export interface PeerSet {
  readonly fact: WireguardPeerFact
  /** What it was, as far as that is known. */
  readonly before: Pick<WireguardPeer, 'allowedIPs'> | undefined
  readonly why: Reason
  /** A session is begun at once. */
  readonly greet?: boolean
}

/** A peer that is to go; of the fact no more than its key counts. */
export interface PeerRemoval {
  readonly fact: WireguardPeerFact
  readonly why: Reason
}

/** Replacing the allowed IPs takes all away for a moment: only where one is to go. */
const settingsOf = ({ fact, before }: PeerSet): PeerSettings => {
  const wanted = new Set(fact.allowedIPs.map(networkOf))
  const isCovered = before?.allowedIPs.every((cidr) => wanted.has(networkOf(cidr))) ?? false
  return { ...peerSettings(fact), replaceAllowedIPs: !isCovered }
}

/** A peer that this device has lost goes on sending by the session it had, unheard, until it notices after 15 s
 *  (KEEPALIVE_TIMEOUT and REKEY_TIMEOUT, WireGuard whitepaper §6.1). A keepalive that is switched on is sent at once, and
 *  begins a new session; then it is as wanted. */
const messagesFor = (socket: GenericSocket, dev: string, sets: readonly PeerSet[]): readonly Message[] => {
  const greeted = sets.filter(({ greet, fact }) => greet === true && fact.keepalive === 0)
  const first = sets.map((set) => ({ ...settingsOf(set), ...(greeted.includes(set) ? { keepalive: 1 } : {}) }))
  const then = greeted.map(({ fact: { publicKey } }) => ({ publicKey, keepalive: 0, updateOnly: true }) as const)
  return [...setPeers(socket, dev, first), ...setPeers(socket, dev, then)]
}

export interface Device {
  readonly ns: Ns
  readonly dev: string
}

const refusalOf = (
  socket: GenericSocket,
  messages: readonly Message[],
  what: () => string,
): NetlinkError | undefined => {
  for (const message of messages) {
    const [reply] = socket.exchange([message])
    if (reply !== undefined && reply.errno !== 0) return new NetlinkError(what(), reply.errno, reply.extack)
  }
  return undefined
}

/** Whether every peer of the device will be refused likewise. */
const isOfDevice = ({ errno }: NetlinkError): boolean => [ENODEV, EOPNOTSUPP, EPERM].includes(errno)

interface Step {
  readonly fact: WireguardPeerFact
  readonly why: Reason
}

/** What is done with some peers of one device. */
interface Sending<T extends Step> {
  readonly steps: readonly T[]
  readonly messagesOf: (part: readonly T[]) => readonly Message[]
  readonly render: (step: T) => string
}

/** Sends as many as a message holds at a time; when one is refused, each by itself, to learn which.
 *  @throws NetlinkError when all will be */
const sendAll = <T extends Step>(socket: GenericSocket, { steps, messagesOf, render }: Sending<T>, log: Log): void => {
  for (let at = 0; at < steps.length; at += PEERS_PER_MESSAGE) {
    const part = steps.slice(at, at + PEERS_PER_MESSAGE)
    const more = steps.length > 1 ? ` and ${steps.length - 1} more` : ''
    const refused = refusalOf(socket, messagesOf(part), () => part.slice(0, 1).map(render) + more)
    if (refused !== undefined && isOfDevice(refused)) throw refused
    for (const step of part) {
      const refusal = refused && refusalOf(socket, messagesOf([step]), () => render(step))
      if (refusal === undefined) log.changed(() => render(step), step.why)
      else log.failed(step.fact, refusal)
    }
  }
}

const renderRemoval = ({ fact }: PeerRemoval): string => `wg set ${fact.dev} peer ${fact.publicKey} remove`

/** @throws NetlinkError when the device is not there, or the kernel has no WireGuard */
export const writeDevice = (
  { ns, dev }: Device,
  sets: readonly PeerSet[],
  removals: readonly PeerRemoval[],
  kernel: Kernel,
  log: Log,
): void => {
  const socket = kernel.generic(ns)
  const messagesOf = (part: readonly PeerSet[]) => messagesFor(socket, dev, part)
  const goneOf = (part: readonly PeerRemoval[]) =>
    removePeers(
      socket,
      dev,
      part.map(({ fact }) => fact.publicKey),
    )
  sendAll(socket, { steps: sets, messagesOf, render: ({ fact }) => renderPeer(fact) }, log)
  sendAll(socket, { steps: removals, messagesOf: goneOf, render: renderRemoval }, log)
}

export const devicesOf = (facts: readonly Device[]): readonly Device[] => [
  ...new Map(facts.map(({ ns, dev }) => [`${ns} ${dev}`, { ns, dev }])).values(),
]

export const isOn = ({ ns, dev }: Device, fact: Device): boolean => fact.ns === ns && fact.dev === dev

/** Peers set and removed from one plan to the next, without looking at what the devices hold. Never throws for what the
 *  kernel refuses: a device that is not there is one failure, and what was to be removed from it is gone. */
export const writePeers = (
  sets: readonly PeerSet[],
  removals: readonly PeerRemoval[],
  kernel: Kernel,
  log: Log,
): void => {
  for (const device of devicesOf([...sets, ...removals].map(({ fact }) => fact))) {
    const own = sets.filter(({ fact }) => isOn(device, fact))
    const leaving = removals.filter(({ fact }) => isOn(device, fact))
    try {
      writeDevice(device, own, leaving, kernel, log)
    } catch (error) {
      const first = own[0] ?? (error instanceof NetlinkError && error.errno === ENODEV ? undefined : leaving[0])
      if (first !== undefined) log.failed(first.fact, error)
    }
  }
}
