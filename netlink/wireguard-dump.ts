/** What the kernel says of a WireGuard device: `wg show`. linux/wireguard.h; drivers/net/wireguard/netlink.c. */
import { type Cidr, cidrOf } from '../addr/cidr.ts'
import { ipOf } from '../addr/ip.ts'
import { ENODEV, NetlinkError } from './error.ts'
import { type GenericSocket, genericBody, genericMessage } from './generic.ts'
import {
  type Attrs,
  decodeAttrList,
  decodeAttrs,
  NLM_F_ACK,
  NLM_F_DUMP,
  type Received,
  readBe16,
  readText,
  readU8,
  readU16,
  readU32,
  readU64,
} from './message.ts'
import {
  AF_INET6,
  type Endpoint,
  WG_GENL_NAME,
  WGALLOWEDIP_A_CIDR_MASK,
  WGALLOWEDIP_A_IPADDR,
  WGDEVICE_A_FWMARK,
  WGDEVICE_A_IFINDEX,
  WGDEVICE_A_IFNAME,
  WGDEVICE_A_LISTEN_PORT,
  WGDEVICE_A_PEERS,
  WGDEVICE_A_PRIVATE_KEY,
  WGDEVICE_A_PUBLIC_KEY,
  WGPEER_A_ALLOWEDIPS,
  WGPEER_A_ENDPOINT,
  WGPEER_A_LAST_HANDSHAKE_TIME,
  WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
  WGPEER_A_PRESHARED_KEY,
  WGPEER_A_PUBLIC_KEY,
  WGPEER_A_RX_BYTES,
  WGPEER_A_TX_BYTES,
} from './wireguard.ts'
import { isNoKey, keyOf } from './wireguard-key.ts'

const WG_CMD_GET_DEVICE = 0

export interface WireguardPeer {
  /** Base64. */
  readonly publicKey: string
  /** Base64; left out: none. */
  readonly presharedKey?: string
  /** Where its packets go: as it was set, or where the last authenticated packet of it came from. */
  readonly endpoint?: Endpoint
  /** Seconds; 0: none. */
  readonly keepalive: number
  readonly allowedIPs: readonly Cidr[]
  /** Seconds since the epoch; 0: never. */
  readonly lastHandshake: number
  readonly rxBytes: bigint
  readonly txBytes: bigint
}

export interface WireguardDevice {
  readonly index: number
  readonly name: string
  /** Base64; left out: none is set. */
  readonly privateKey?: string
  readonly publicKey?: string
  /** UDP; 0 while it is down and was given none. */
  readonly listenPort: number
  readonly fwmark: number
  readonly peers: readonly WireguardPeer[]
}

const keyAttr = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined || isNoKey(bytes) ? undefined : keyOf(bytes)

/** struct sockaddr_in or sockaddr_in6. */
const endpointOf = (bytes: Uint8Array): Endpoint => ({
  ip: ipOf(readU16(bytes) === AF_INET6 ? bytes.subarray(8, 24) : bytes.subarray(4, 8)),
  port: readBe16(bytes.subarray(2)),
})

const decodeAllowedIps = (bytes: Uint8Array | undefined): Cidr[] =>
  decodeAttrList(bytes ?? EMPTY).map(([, value]) => {
    const attrs = decodeAttrs(value)
    return cidrOf(ipOf(attrs.get(WGALLOWEDIP_A_IPADDR) ?? EMPTY), readU8(attrs.get(WGALLOWEDIP_A_CIDR_MASK)))
  })

const decodePeer = (bytes: Uint8Array): WireguardPeer => {
  const attrs = decodeAttrs(bytes)
  const presharedKey = keyAttr(attrs.get(WGPEER_A_PRESHARED_KEY))
  const endpoint = attrs.get(WGPEER_A_ENDPOINT)
  return {
    publicKey: keyOf(attrs.get(WGPEER_A_PUBLIC_KEY) ?? EMPTY),
    ...(presharedKey === undefined ? {} : { presharedKey }),
    ...(endpoint === undefined ? {} : { endpoint: endpointOf(endpoint) }),
    keepalive: readU16(attrs.get(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL)),
    allowedIPs: decodeAllowedIps(attrs.get(WGPEER_A_ALLOWEDIPS)),
    lastHandshake: Number(readU64(attrs.get(WGPEER_A_LAST_HANDSHAKE_TIME))),
    rxBytes: readU64(attrs.get(WGPEER_A_RX_BYTES)),
    txBytes: readU64(attrs.get(WGPEER_A_TX_BYTES)),
  }
}

/** A peer whose allowed IPs did not fit goes on at the start of the next message, with its key and more of them alone. */
const joinPeers = (parts: readonly WireguardPeer[]): WireguardPeer[] => {
  const peers: WireguardPeer[] = []
  for (const part of parts) {
    const last = peers.at(-1)
    if (last?.publicKey === part.publicKey)
      peers[peers.length - 1] = { ...last, allowedIPs: [...last.allowedIPs, ...part.allowedIPs] }
    else peers.push(part)
  }
  return peers
}

const peersIn = (attrs: Attrs): WireguardPeer[] =>
  decodeAttrList(attrs.get(WGDEVICE_A_PEERS) ?? EMPTY).map(([, peer]) => decodePeer(peer))

/** The device that the messages of one dump tell of. */
export const decodeDevice = (messages: readonly Received[]): WireguardDevice => {
  const all = messages.map((message) => decodeAttrs(genericBody(message)))
  const [head = new Map()] = all
  const privateKey = keyAttr(head.get(WGDEVICE_A_PRIVATE_KEY))
  const publicKey = keyAttr(head.get(WGDEVICE_A_PUBLIC_KEY))
  return {
    index: readU32(head.get(WGDEVICE_A_IFINDEX)),
    name: readText(head.get(WGDEVICE_A_IFNAME)),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(publicKey === undefined ? {} : { publicKey }),
    listenPort: readU16(head.get(WGDEVICE_A_LISTEN_PORT)),
    fwmark: readU32(head.get(WGDEVICE_A_FWMARK)),
    peers: joinPeers(all.flatMap(peersIn)),
  }
}

/** The device called `name` with all its peers; undefined when there is no link of that name. It holds secrets.
 *  @throws NetlinkError ENOENT when the kernel has no WireGuard, EOPNOTSUPP when `name` is no WireGuard device, EPERM */
export const getWireguard = (socket: GenericSocket, name: string): WireguardDevice | undefined => {
  const family = socket.family(WG_GENL_NAME)
  try {
    return decodeDevice(
      socket.request(
        `wg show ${name}`,
        genericMessage(family, WG_CMD_GET_DEVICE, NLM_F_DUMP | NLM_F_ACK, [[WGDEVICE_A_IFNAME, name]]),
      ),
    )
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return undefined
    throw error
  }
}

const EMPTY = new Uint8Array(0)
