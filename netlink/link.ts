/** Links: the messages of `ip link` and what the kernel says of a link. linux/if_link.h, linux/veth.h, linux/if_bridge.h. */
import { type Mac, macBytes, macOf } from '../addr/mac.ts'
import { isNotFound } from './error.ts'
import {
  type Attr,
  ascii,
  decodeAttrs,
  encodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  type Received,
  readText,
  readU8,
  readU32,
  u8,
} from './message.ts'
import { IFF_ALLMULTI, IFF_PROMISC, IFF_UP, ifinfomsg, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'
import { decodeTunnel, type Tunnel, tunnelAttrs } from './tunnel.ts'

const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_TXQLEN = 13
const IFLA_OPERSTATE = 16
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_NET_NS_FD = 28
const IFLA_LINK_NETNSID = 37
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const VETH_INFO_PEER = 1
const IFLA_BR_VLAN_FILTERING = 7
const IFLA_BRPORT_MODE = 4
const IFLA_BRPORT_ISOLATED = 33
const IF_OPER_UP = 6

/** Attributes that a link can be given at birth or later; what is left out is the kernel's default, or stays. */
export interface LinkSettings {
  readonly mac?: Mac
  /** Bytes. */
  readonly mtu?: number
  readonly txQLen?: number
  readonly up?: boolean
  readonly promisc?: boolean
  readonly allmulti?: boolean
  /** Index of the bridge this link is a port of. */
  readonly master?: number
  /** At most 255 bytes (IFALIASZ); not accepted at birth. */
  readonly alias?: string
  readonly vlanFiltering?: boolean
  /** Of a bridge port; not accepted at birth. */
  readonly hairpin?: boolean
  readonly isolated?: boolean
}

/** What is created: the kernel's own kind, and what only that kind has. */
export type Device =
  | { readonly kind: 'bridge' | 'ifb' | 'dummy' | 'wireguard' }
  | Tunnel
  | { readonly kind: 'veth'; readonly peer: { readonly name: string; readonly netns: number } & LinkSettings }

/** A link as the kernel shows it. */
export interface Link {
  readonly index: number
  readonly name: string
  /** '' for a link without IFLA_INFO_KIND (hardware, loopback). */
  readonly kind: string
  readonly mac: Mac
  readonly mtu: number
  readonly txQLen: number
  readonly up: boolean
  readonly operUp: boolean
  /** Asked for by hand; a capture program or a bridge does not count. */
  readonly promisc: boolean
  readonly allmulti: boolean
  readonly alias: string
  /** Index of the bridge it is a port of; 0: none. */
  readonly master: number
  /** Index of the veth peer (in its own namespace) or lower device; 0: none. */
  readonly peer: number
  /** True when the peer lives in another namespace. */
  readonly peerElsewhere: boolean
  readonly vlanFiltering: boolean
  readonly hairpin: boolean
  readonly isolated: boolean
  /** Of a vxlan or ipip alone. */
  readonly tunnel?: Tunnel
}

const flagsOf = (s: LinkSettings): { flags: number; change: number } => {
  const wanted: readonly (readonly [boolean | undefined, number])[] = [
    [s.up, IFF_UP],
    [s.promisc, IFF_PROMISC],
    [s.allmulti, IFF_ALLMULTI],
  ]
  let flags = 0
  let change = 0
  for (const [value, flag] of wanted) {
    if (value !== undefined) change |= flag
    if (value === true) flags |= flag
  }
  return { flags, change }
}

const bit = (type: number, value: boolean | undefined): Attr[] =>
  value === undefined ? [] : [[type, u8(value ? 1 : 0)]]

const settingAttrs = (s: LinkSettings): Attr[] => [
  ...(s.mac === undefined ? [] : [[IFLA_ADDRESS, macBytes(s.mac)] as const]),
  ...(s.mtu === undefined ? [] : [[IFLA_MTU, s.mtu] as const]),
  ...(s.txQLen === undefined ? [] : [[IFLA_TXQLEN, s.txQLen] as const]),
  ...(s.master === undefined ? [] : [[IFLA_MASTER, s.master] as const]),
]

const peerAttr = (peer: { readonly name: string; readonly netns: number } & LinkSettings): Attr => {
  const { flags, change } = flagsOf(peer)
  const header = ifinfomsg(0, flags, change)
  // VETH_INFO_PEER holds a struct ifinfomsg and then attributes: the header goes in front as raw bytes
  return [
    VETH_INFO_PEER,
    withHeader(header, [[IFLA_IFNAME, peer.name], [IFLA_NET_NS_FD, peer.netns], ...settingAttrs(peer)]),
  ]
}

const withHeader = (header: Uint8Array, attrs: readonly Attr[]): Uint8Array => {
  const body = encodeAttrs(attrs)
  const whole = new Uint8Array(header.length + body.length)
  whole.set(header)
  whole.set(body, header.length)
  return whole
}

const dataOf = (device: Device, s: LinkSettings): Attr[] => {
  switch (device.kind) {
    case 'veth':
      return [peerAttr(device.peer)]
    case 'bridge':
      return bit(IFLA_BR_VLAN_FILTERING, s.vlanFiltering)
    case 'vxlan':
    case 'ipip':
      return tunnelAttrs(device)
    default:
      return []
  }
}

const infoOf = (device: Device, s: LinkSettings): Attr => {
  const data = dataOf(device, s)
  return [
    IFLA_LINKINFO,
    [[IFLA_INFO_KIND, ascii(device.kind)], ...(data.length === 0 ? [] : [[IFLA_INFO_DATA, data] as const])],
  ]
}

/** `ip link add NAME type KIND ...`: fails with EEXIST when NAME (or the peer's) is taken. */
export const newLink = (name: string, device: Device, settings: LinkSettings): Message => {
  const { flags, change } = flagsOf(settings)
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    header: ifinfomsg(0, flags, change),
    attrs: [[IFLA_IFNAME, name], ...settingAttrs(settings), infoOf(device, settings)],
  }
}

const linkInfo = (s: LinkSettings): Attr[] => {
  const port = [...bit(IFLA_BRPORT_MODE, s.hairpin), ...bit(IFLA_BRPORT_ISOLATED, s.isolated)]
  const bridge = bit(IFLA_BR_VLAN_FILTERING, s.vlanFiltering)
  const info: Attr[] = [
    ...(bridge.length === 0
      ? []
      : ([
          [IFLA_INFO_KIND, ascii('bridge')],
          [IFLA_INFO_DATA, bridge],
        ] as const)),
    ...(port.length === 0
      ? []
      : ([
          [IFLA_INFO_SLAVE_KIND, ascii('bridge')],
          [IFLA_INFO_SLAVE_DATA, port],
        ] as const)),
  ]
  return info.length === 0 ? [] : [[IFLA_LINKINFO, info]]
}

/** `ip link set NAME ...`; by name, so that it can follow `newLink` in one batch. */
export const setLink = (name: string, settings: LinkSettings): Message => {
  const { flags, change } = flagsOf(settings)
  const alias: Attr[] = settings.alias === undefined ? [] : [[IFLA_IFALIAS, settings.alias]]
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    header: ifinfomsg(0, flags, change),
    attrs: [[IFLA_IFNAME, name], ...settingAttrs(settings), ...alias, ...linkInfo(settings)],
  }
}

/** `ip link del NAME`. */
export const delLink = (name: string): Message => ({
  type: RTM_DELLINK,
  flags: NLM_F_REQUEST | NLM_F_ACK,
  header: ifinfomsg(),
  attrs: [[IFLA_IFNAME, name]],
})

const decodeLink = ({ body }: Received): Link => {
  const attrs = decodeAttrs(body.subarray(16))
  const info = decodeAttrs(attrs.get(IFLA_LINKINFO) ?? EMPTY)
  const data = decodeAttrs(info.get(IFLA_INFO_DATA) ?? EMPTY)
  const kind = readText(info.get(IFLA_INFO_KIND))
  const port = decodeAttrs(info.get(IFLA_INFO_SLAVE_DATA) ?? EMPTY)
  const flags = readU32(body.subarray(8))
  const tunnel = decodeTunnel(kind, data)
  return {
    index: readU32(body.subarray(4)),
    name: readText(attrs.get(IFLA_IFNAME)),
    kind,
    mac: macOf(attrs.get(IFLA_ADDRESS) ?? EMPTY),
    mtu: readU32(attrs.get(IFLA_MTU)),
    txQLen: readU32(attrs.get(IFLA_TXQLEN)),
    up: (flags & IFF_UP) !== 0,
    operUp: readU8(attrs.get(IFLA_OPERSTATE)) === IF_OPER_UP,
    promisc: (flags & IFF_PROMISC) !== 0,
    allmulti: (flags & IFF_ALLMULTI) !== 0,
    alias: readText(attrs.get(IFLA_IFALIAS)),
    master: readU32(attrs.get(IFLA_MASTER)),
    peer: readU32(attrs.get(IFLA_LINK)),
    peerElsewhere: attrs.has(IFLA_LINK_NETNSID),
    vlanFiltering: kind === 'bridge' && readU8(data.get(IFLA_BR_VLAN_FILTERING)) === 1,
    hairpin: readU8(port.get(IFLA_BRPORT_MODE)) === 1,
    isolated: readU8(port.get(IFLA_BRPORT_ISOLATED)) === 1,
    ...(tunnel === undefined ? {} : { tunnel }),
  }
}

const find = (
  socket: NetlinkSocket,
  operation: string,
  header: Uint8Array,
  attrs: readonly Attr[],
): Link | undefined => {
  try {
    const flags = NLM_F_REQUEST | NLM_F_ACK
    const received = socket.request(operation, { type: RTM_GETLINK, flags, header, attrs })
    return received[0] === undefined ? undefined : decodeLink(received[0])
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** The link called `name`; undefined when there is none. @throws NetlinkError */
export const getLink = (socket: NetlinkSocket, name: string): Link | undefined =>
  find(socket, `ip link show ${name}`, ifinfomsg(), [[IFLA_IFNAME, name]])

/** The link with `index`; undefined when there is none. @throws NetlinkError */
export const getLinkAt = (socket: NetlinkSocket, index: number): Link | undefined =>
  find(socket, 'ip link show', ifinfomsg(index), [])

/** Every link of the socket's namespace. @throws NetlinkError */
export const dumpLinks = (socket: NetlinkSocket): Link[] =>
  socket
    .request('ip link show', { type: RTM_GETLINK, flags: NLM_F_REQUEST | NLM_F_DUMP, header: ifinfomsg(), attrs: [] })
    .map(decodeLink)

const EMPTY = new Uint8Array(0)
