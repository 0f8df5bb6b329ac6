/** Tunnel devices: what `ip link add type vxlan` and `type ipip` say of them. linux/if_link.h IFLA_VXLAN_*,
 *  linux/if_tunnel.h IFLA_IPTUN_*. */
import { familyOf, type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import { type Attr, type Attrs, be16, readBe16, readU8, readU32, u8 } from './message.ts'

const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_GROUP = 2
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_GROUP6 = 16
const IFLA_VXLAN_LOCAL6 = 17
const IFLA_VXLAN_GBP = 23
const IFLA_IPTUN_LINK = 1
const IFLA_IPTUN_LOCAL = 2
const IFLA_IPTUN_REMOTE = 3

export interface Vxlan {
  readonly kind: 'vxlan'
  /** 1 to 2^24-1. */
  readonly vni: number
  /** UDP. */
  readonly port: number
  readonly local: Ip
  /** Index of the link it sends by; 0: whichever the routes say. */
  readonly link: number
  readonly learning: boolean
  readonly gbp: boolean
  /** Where frames go that no forwarding entry is for; of no tunnel of ours. */
  readonly remote?: Ip
}

export interface Ipip {
  readonly kind: 'ipip'
  readonly local: Ip
  /** As of Vxlan. */
  readonly link: number
  /** Of a tunnel to one node alone; of none of ours. */
  readonly remote?: Ip
}

export type Tunnel = Vxlan | Ipip

const vxlanAttrs = (tunnel: Vxlan): Attr[] => [
  [IFLA_VXLAN_ID, tunnel.vni],
  [familyOf(tunnel.local) === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, ipBytes(tunnel.local)],
  ...(tunnel.link === 0 ? [] : [[IFLA_VXLAN_LINK, tunnel.link] as const]),
  ...(tunnel.remote === undefined
    ? []
    : [[familyOf(tunnel.remote) === 4 ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, ipBytes(tunnel.remote)] as const]),
  [IFLA_VXLAN_PORT, be16(tunnel.port)],
  [IFLA_VXLAN_LEARNING, u8(tunnel.learning ? 1 : 0)],
  ...(tunnel.gbp ? [[IFLA_VXLAN_GBP, new Uint8Array(0)] as const] : []),
]

const ipipAttrs = (tunnel: Ipip): Attr[] => [
  [IFLA_IPTUN_LOCAL, ipBytes(tunnel.local)],
  ...(tunnel.remote === undefined ? [] : [[IFLA_IPTUN_REMOTE, ipBytes(tunnel.remote)] as const]),
  ...(tunnel.link === 0 ? [] : [[IFLA_IPTUN_LINK, tunnel.link] as const]),
]

/** What IFLA_INFO_DATA holds. */
export const tunnelAttrs = (tunnel: Tunnel): Attr[] =>
  tunnel.kind === 'vxlan' ? vxlanAttrs(tunnel) : ipipAttrs(tunnel)

/** The kernel says "none" by leaving it out, or by zeros. */
const remoteOf = (bytes: Uint8Array | undefined): { readonly remote?: Ip } =>
  bytes?.some((byte) => byte !== 0) ? { remote: ipOf(bytes) } : {}

const decodeVxlan = (attrs: Attrs): Vxlan => ({
  kind: 'vxlan',
  vni: readU32(attrs.get(IFLA_VXLAN_ID)),
  port: readBe16(attrs.get(IFLA_VXLAN_PORT)),
  local: ipOf(attrs.get(IFLA_VXLAN_LOCAL6) ?? attrs.get(IFLA_VXLAN_LOCAL) ?? new Uint8Array(4)),
  link: readU32(attrs.get(IFLA_VXLAN_LINK)),
  learning: readU8(attrs.get(IFLA_VXLAN_LEARNING)) === 1,
  gbp: attrs.has(IFLA_VXLAN_GBP),
  ...remoteOf(attrs.get(IFLA_VXLAN_GROUP6) ?? attrs.get(IFLA_VXLAN_GROUP)),
})

const decodeIpip = (attrs: Attrs): Ipip => ({
  kind: 'ipip',
  local: ipOf(attrs.get(IFLA_IPTUN_LOCAL) ?? new Uint8Array(4)),
  link: readU32(attrs.get(IFLA_IPTUN_LINK)),
  ...remoteOf(attrs.get(IFLA_IPTUN_REMOTE)),
})

/** The tunnel that a link of `kind` is, by its IFLA_INFO_DATA; undefined for every other kind. */
export const decodeTunnel = (kind: string, attrs: Attrs): Tunnel | undefined =>
  kind === 'vxlan' ? decodeVxlan(attrs) : kind === 'ipip' ? decodeIpip(attrs) : undefined
