/** Keys of routes: texts that are equal when the kernel has exactly the route that is wanted, so that thousands of a dump
 *  are told apart without being decoded. '' is the key of a route that has what no fact can ask for: several next hops, a
 *  type of service. linux/rtnetlink.h. */
import { cidrFamily, lengthOf } from '../addr/cidr.ts'
import { ipText, prefixText, textAt, u16At, u32At, wordText } from './key-text.ts'
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
import { afOf } from './rtnetlink.ts'

const RTMSG_SIZE = 12
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
  wordText(p.index) +
  wordText(p.table) +
  wordText(p.priority) +
  wordText(p.mtu) +
  wordText(p.advmss) +
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

/** Of a route of a dump: of what stands from its rtmsg to its end. */
export const routeKeyOf = (bytes: Uint8Array, from: number, to: number): string => {
  const parts: RouteParts = {
    family: bytes[from] ?? 0,
    length: bytes[from + 1] ?? 0,
    type: bytes[from + 7] ?? 0,
    protocol: bytes[from + 5] ?? 0,
    scope: bytes[from + 6] ?? 0,
    onlink: ((bytes[from + 8] ?? 0) & RTNH_F_ONLINK) !== 0,
    index: 0,
    table: bytes[from + 4] ?? 0,
    priority: 0,
    mtu: 0,
    advmss: 0,
    dst: '',
    via: '',
    src: '',
  }
  for (let at = from + RTMSG_SIZE; at + 4 <= to; ) {
    const length = u16At(bytes, at)
    if (length < 4 || !readRouteAttr(bytes, at, at + length, parts)) return ''
    at += (length + 3) & ~3
  }
  if (parts.type === RTN_BLACKHOLE) parts.index = 0 // IPv6 shows lo
  return (bytes[from + 3] ?? 0) === 0 ? routeText(parts) : ''
}
