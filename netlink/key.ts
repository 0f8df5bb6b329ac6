/** Keys of routes, neighbours and forwarding entries: texts, of no printable kind, that are equal when the kernel holds
 *  exactly what is wanted. Thousands of entries of a dump are told apart by them without being decoded. A key of '' is of
 *  an entry that has what no fact can ask for. linux/rtnetlink.h, linux/neighbour.h. */
import { addressOf, type Cidr, cidrFamily, lengthOf } from '../addr/cidr.ts'
import { type Ip, ipBytes } from '../addr/ip.ts'
import { macBytes } from '../addr/mac.ts'
import type { Neigh } from './neigh.ts'
import {
  priorityOf,
  type RouteSpec,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  scopeOf,
} from './route.ts'
import { AF_BRIDGE, afOf } from './rtnetlink.ts'

const RTMSG_SIZE = 12
const NDMSG_SIZE = 12
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_CACHEINFO = 12
const RTA_TABLE = 15
const RTA_PREF = 20
const RTAX_MTU = 2
const RTAX_ADVMSS = 8
const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_CACHEINFO = 3
const NDA_PROBES = 4
const NDA_PROTOCOL = 12
const NDA_FLAGS_EXT = 15
const NUD_PERMANENT = 0x80
const NTF_SELF = 0x02

const u16At = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
const u32At = (bytes: Uint8Array, at: number): number => (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0
const words = (n: number): string => String.fromCharCode(n & 0xffff, n >>> 16)

const textAt = (bytes: Uint8Array, from: number, to: number): string => {
  let text = ''
  for (let at = from; at < to; at += 2) text += String.fromCharCode(u16At(bytes, at))
  return text
}
const textOf = (bytes: Uint8Array): string => textAt(bytes, 0, bytes.length)
const ipText = (ip: Ip | undefined): string => (ip === undefined ? '' : textOf(ipBytes(ip)))

/** The bytes of a prefix, its host bits clear. */
const prefixText = (c: Cidr): string => {
  const length = lengthOf(c)
  if (length === 0) return ''
  const bytes = ipBytes(addressOf(c))
  for (let i = length >> 3; i < bytes.length; i++)
    bytes[i] = (bytes[i] ?? 0) & (0xff00 >> Math.max(0, Math.min(8, length - 8 * i)))
  return textOf(bytes)
}

interface RouteParts {
  family: number
  length: number
  type: number
  protocol: number
  scope: number
  onlink: boolean
  index: number
  table: number
  priority: number
  mtu: number
  advmss: number
  dst: string
  via: string
  src: string
}

const routeText = (p: RouteParts): string =>
  String.fromCharCode((p.family << 8) | p.length, (p.type << 8) | p.protocol, (p.scope << 1) | (p.onlink ? 1 : 0)) +
  words(p.index) +
  words(p.table) +
  words(p.priority) +
  words(p.mtu) +
  words(p.advmss) +
  `${p.dst}|${p.via}|${p.src}`

/** Of a route that is wanted over link `index`. */
export const routeKey = (index: number, route: RouteSpec): string =>
  routeText({
    family: afOf(cidrFamily(route.dst)),
    length: lengthOf(route.dst),
    type: route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST,
    protocol: route.protocol ?? RTPROT_BOOT,
    scope: scopeOf(route),
    onlink: route.onlink === true,
    index: route.blackhole ? 0 : index,
    table: route.table ?? RT_TABLE_MAIN,
    priority: priorityOf(route),
    mtu: route.mtu ?? 0,
    advmss: route.advmss ?? 0,
    dst: prefixText(route.dst),
    via: ipText(route.via),
    src: ipText(route.src),
  })

/** False when there are metrics besides those two. */
const readMetrics = (bytes: Uint8Array, from: number, to: number, parts: RouteParts): boolean => {
  for (let at = from; at + 8 <= to; at += 8) {
    const type = u16At(bytes, at + 2)
    if (type === RTAX_MTU) parts.mtu = u32At(bytes, at + 4)
    else if (type === RTAX_ADVMSS) parts.advmss = u32At(bytes, at + 4)
    else return false
  }
  return true
}

const readRouteAttr = (bytes: Uint8Array, at: number, end: number, parts: RouteParts): boolean => {
  switch (u16At(bytes, at + 2) & 0x3fff) {
    case RTA_DST:
      parts.dst = textAt(bytes, at + 4, end)
      return true
    case RTA_GATEWAY:
      parts.via = textAt(bytes, at + 4, end)
      return true
    case RTA_PREFSRC:
      parts.src = textAt(bytes, at + 4, end)
      return true
    case RTA_OIF:
      parts.index = u32At(bytes, at + 4)
      return true
    case RTA_PRIORITY:
      parts.priority = u32At(bytes, at + 4)
      return true
    case RTA_TABLE:
      parts.table = u32At(bytes, at + 4)
      return true
    case RTA_METRICS:
      return readMetrics(bytes, at + 4, end, parts)
    case RTA_CACHEINFO:
    case RTA_PREF:
      return true
    default:
      return false
  }
}

/** Of a route of a dump, by all that follows nlmsghdr. */
export const routeKeyOf = (body: Uint8Array): string => {
  const parts: RouteParts = {
    family: body[0] ?? 0,
    length: body[1] ?? 0,
    type: body[7] ?? 0,
    protocol: body[5] ?? 0,
    scope: body[6] ?? 0,
    onlink: ((body[8] ?? 0) & RTNH_F_ONLINK) !== 0,
    index: 0,
    table: body[4] ?? 0,
    priority: 0,
    mtu: 0,
    advmss: 0,
    dst: '',
    via: '',
    src: '',
  }
  for (let at = RTMSG_SIZE; at + 4 <= body.length; ) {
    const length = u16At(body, at)
    if (length < 4 || !readRouteAttr(body, at, at + length, parts)) return ''
    at += (length + 3) & ~3
  }
  if (parts.type === RTN_BLACKHOLE) parts.index = 0 // IPv6 shows lo
  return (body[3] ?? 0) === 0 ? routeText(parts) : ''
}

const neighText = (family: number, protocol: number, index: number, ip: string, lladdr: string): string =>
  String.fromCharCode((family << 8) | protocol) + words(index) + `${lladdr}|${ip}`

/** Of an entry that is wanted on link `index`. The mark of a forwarding entry is left out: the kernel takes it at birth
 *  only (vxlan_fdb_update_existing). */
export const neighKey = (index: number, { table, ip, lladdr, protocol = 0 }: Neigh): string =>
  table === 'fdb'
    ? neighText(AF_BRIDGE, 0, index, ipText(ip), textOf(macBytes(lladdr)))
    : neighText(afOf(ip.includes(':') ? 6 : 4), protocol, index, ipText(ip), textOf(macBytes(lladdr)))

/** Of a neighbour or forwarding entry of a dump, by all that follows nlmsghdr. */
export const neighKeyOf = (body: Uint8Array): string => {
  const family = body[0] ?? 0
  if ((u16At(body, 8) & NUD_PERMANENT) === 0) return ''
  if (family === AF_BRIDGE && ((body[10] ?? 0) & NTF_SELF) === 0) return ''
  let ip = ''
  let lladdr = ''
  let protocol = 0
  for (let at = NDMSG_SIZE; at + 4 <= body.length; ) {
    const length = u16At(body, at)
    if (length < 4) return ''
    const type = u16At(body, at + 2) & 0x3fff
    if (type === NDA_DST) ip = textAt(body, at + 4, at + length)
    else if (type === NDA_LLADDR) lladdr = textAt(body, at + 4, at + length)
    else if (type === NDA_PROTOCOL) protocol = body[at + 4] ?? 0
    else if (type !== NDA_CACHEINFO && type !== NDA_PROBES && type !== NDA_FLAGS_EXT) return ''
    at += (length + 3) & ~3
  }
  return neighText(family, protocol, u32At(body, 4), ip, lladdr)
}
