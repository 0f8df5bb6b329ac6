/** WireGuard devices and their peers: `wg set`, `wg show`. linux/wireguard.h; drivers/net/wireguard/netlink.c. */
import { type Cidr, cidrFamily, firstOf, lengthOf } from '../addr/cidr.ts'
import { familyOf, type Ip, ipBytes } from '../addr/ip.ts'
import { type GenericSocket, genericMessage } from './generic.ts'
import { type Attr, be16, concat, type Message, NLM_F_ACK, u8, u16, u32 } from './message.ts'
import { keyBytes } from './wireguard-key.ts'

export const WG_GENL_NAME = 'wireguard'
const WG_CMD_SET_DEVICE = 1
export const WGDEVICE_A_IFINDEX = 1
export const WGDEVICE_A_IFNAME = 2
export const WGDEVICE_A_PRIVATE_KEY = 3
export const WGDEVICE_A_PUBLIC_KEY = 4
const WGDEVICE_A_FLAGS = 5
export const WGDEVICE_A_LISTEN_PORT = 6
export const WGDEVICE_A_FWMARK = 7
export const WGDEVICE_A_PEERS = 8
export const WGPEER_A_PUBLIC_KEY = 1
export const WGPEER_A_PRESHARED_KEY = 2
const WGPEER_A_FLAGS = 3
export const WGPEER_A_ENDPOINT = 4
export const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5
export const WGPEER_A_LAST_HANDSHAKE_TIME = 6
export const WGPEER_A_RX_BYTES = 7
export const WGPEER_A_TX_BYTES = 8
export const WGPEER_A_ALLOWEDIPS = 9
export const WGALLOWEDIP_A_FAMILY = 1
export const WGALLOWEDIP_A_IPADDR = 2
export const WGALLOWEDIP_A_CIDR_MASK = 3
const WGDEVICE_F_REPLACE_PEERS = 1
const WGPEER_F_REMOVE_ME = 1
const WGPEER_F_REPLACE_ALLOWEDIPS = 2
const WGPEER_F_UPDATE_ONLY = 4
export const AF_INET = 2
export const AF_INET6 = 10

export interface Endpoint {
  readonly ip: Ip
  /** UDP. */
  readonly port: number
}

/** What of a device is set; what is left out stays. */
export interface WireguardSettings {
  /** Base64. The key that is set already changes nothing, and its sessions go on. */
  readonly privateKey?: string
  /** UDP; 0: one of the kernel's choice. */
  readonly listenPort?: number
  /** Mark of the packets it sends; 0: none. */
  readonly fwmark?: number
  /** Removes every peer. */
  readonly replacePeers?: true
}

/** What of a peer is set; it is made when it is missing, and what is left out stays. */
export interface PeerSettings {
  /** Base64: which peer. */
  readonly publicKey: string
  /** Base64; 32 zero bytes: none. */
  readonly presharedKey?: string
  readonly endpoint?: Endpoint
  /** Seconds; 0: none. */
  readonly keepalive?: number
  /** Added to those it has; taken from another peer that has one of them. */
  readonly allowedIPs?: readonly Cidr[]
  /** The allowed IPs are those given and no others. */
  readonly replaceAllowedIPs?: boolean
  /** Not made when it is missing. */
  readonly updateOnly?: true
}

const SIZE_OF_SOCKADDR_IN = 16

/** struct sockaddr_in or sockaddr_in6: family in host order, port and address in network order. */
const sockaddr = ({ ip, port }: Endpoint): Uint8Array => {
  if (familyOf(ip) === 6) return concat(u16(AF_INET6), be16(port), u32(0), ipBytes(ip), u32(0))
  const bytes = new Uint8Array(SIZE_OF_SOCKADDR_IN)
  bytes.set(concat(u16(AF_INET), be16(port), ipBytes(ip)))
  return bytes
}

const allowedIp = (cidr: Cidr): Attr => [
  0,
  [
    [WGALLOWEDIP_A_FAMILY, u16(cidrFamily(cidr) === 6 ? AF_INET6 : AF_INET)],
    [WGALLOWEDIP_A_IPADDR, ipBytes(firstOf(cidr))],
    [WGALLOWEDIP_A_CIDR_MASK, u8(lengthOf(cidr))],
  ],
]

const flagsOf = (peer: PeerSettings): number =>
  (peer.replaceAllowedIPs === true ? WGPEER_F_REPLACE_ALLOWEDIPS : 0) |
  (peer.updateOnly === true ? WGPEER_F_UPDATE_ONLY : 0)

const peerAttrs = (peer: PeerSettings): Attr[] => {
  const attrs: Attr[] = [[WGPEER_A_PUBLIC_KEY, keyBytes(peer.publicKey)]]
  if (peer.presharedKey !== undefined) attrs.push([WGPEER_A_PRESHARED_KEY, keyBytes(peer.presharedKey)])
  if (peer.endpoint !== undefined) attrs.push([WGPEER_A_ENDPOINT, sockaddr(peer.endpoint)])
  if (peer.keepalive !== undefined) attrs.push([WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, u16(peer.keepalive)])
  if (flagsOf(peer) !== 0) attrs.push([WGPEER_A_FLAGS, flagsOf(peer)])
  if (peer.allowedIPs !== undefined) attrs.push([WGPEER_A_ALLOWEDIPS, peer.allowedIPs.map(allowedIp)])
  return attrs
}

const goneAttrs = (publicKey: string): Attr[] => [
  [WGPEER_A_PUBLIC_KEY, keyBytes(publicKey)],
  [WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME],
]

/** An attribute's length is 16 bits: WGDEVICE_A_PEERS ends there. A peer takes at most 128 bytes of it, an allowed IP 40. */
export const PEERS_PER_MESSAGE = 128
const ALLOWED_IPS_PER_PEER = 8

const chunks = <T>(list: readonly T[], size: number): (readonly T[])[] => {
  const parts: (readonly T[])[] = []
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size))
  return parts
}

/** `peer` in pieces that each fit; the later ones only add allowed IPs. */
const pieces = (peer: PeerSettings): readonly PeerSettings[] => {
  const { allowedIPs = [], publicKey } = peer
  if (allowedIPs.length <= ALLOWED_IPS_PER_PEER) return [peer]
  const [first = [], ...rest] = chunks(allowedIPs, ALLOWED_IPS_PER_PEER)
  return [
    { ...peer, allowedIPs: first },
    ...rest.map((more) => ({ publicKey, allowedIPs: more, updateOnly: true }) as const),
  ]
}

const setMessage = (socket: GenericSocket, device: string, attrs: readonly Attr[]): Message =>
  genericMessage(socket.family(WG_GENL_NAME), WG_CMD_SET_DEVICE, NLM_F_ACK, [[WGDEVICE_A_IFNAME, device], ...attrs])

/** `wg set DEVICE private-key ... listen-port ...`. ENODEV: no such link; EOPNOTSUPP: it is no WireGuard device;
 *  EADDRINUSE: the port is taken. */
export const setWireguard = (socket: GenericSocket, device: string, settings: WireguardSettings): Message =>
  setMessage(socket, device, [
    ...(settings.replacePeers === true ? [[WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS] as const] : []),
    ...(settings.privateKey === undefined ? [] : [[WGDEVICE_A_PRIVATE_KEY, keyBytes(settings.privateKey)] as const]),
    ...(settings.listenPort === undefined ? [] : [[WGDEVICE_A_LISTEN_PORT, u16(settings.listenPort)] as const]),
    ...(settings.fwmark === undefined ? [] : [[WGDEVICE_A_FWMARK, settings.fwmark] as const]),
  ])

const peerMessage = (socket: GenericSocket, device: string, peers: readonly (readonly Attr[])[]): Message =>
  setMessage(socket, device, [[WGDEVICE_A_PEERS, peers.map((attrs): Attr => [0, attrs])]])

/** `wg set DEVICE peer ...` for each peer, in order: as few messages as hold them. A message that is refused has done the
 *  peers before the one it is refused for. */
export const setPeers = (socket: GenericSocket, device: string, peers: readonly PeerSettings[]): Message[] =>
  chunks(peers.flatMap(pieces), PEERS_PER_MESSAGE).map((part) => peerMessage(socket, device, part.map(peerAttrs)))

/** `wg set DEVICE peer KEY remove` for each key; absent is success. */
export const removePeers = (socket: GenericSocket, device: string, publicKeys: readonly string[]): Message[] =>
  chunks(publicKeys, PEERS_PER_MESSAGE).map((part) => peerMessage(socket, device, part.map(goneAttrs)))
