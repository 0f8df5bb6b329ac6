/** Routes: `ip route`. linux/rtnetlink.h. */
import { addressOf, type Cidr, cidrFamily, cidrOf, firstOf, lengthOf } from '../addr/cidr.ts'
import { type Family, type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import {
  type Attr,
  decodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  readU16,
  readU32,
} from './message.ts'
import { afOf, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE, rtmsg } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_MULTIPATH = 9
/** struct rtnexthop. */
const RTNEXTHOP_SIZE = 8
const RTA_TABLE = 15
const RTAX_MTU = 2
const RTAX_ADVMSS = 8
export const RTN_UNICAST = 1
export const RTN_BLACKHOLE = 6
/** What a route has that nobody gave a protocol: `ip route add`, flanneld. */
export const RTPROT_BOOT = 3
/** The overlay's own (linux/rtnetlink.h leaves numbers from 64 to users; `/etc/iproute2/rt_protos` has none here). */
export const RTPROT_PODWIRE = 112
export const RTNH_F_ONLINK = 4
export const RT_TABLE_MAIN = 254
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_LINK = 253

/** A unicast route over one link, or a blackhole. Left out: no gateway, no preferred source, table main, metric of the kernel's choice. */
export interface RouteSpec {
  readonly dst: Cidr
  readonly via?: Ip
  readonly src?: Ip
  readonly onlink?: boolean
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
  /** RTPROT_*, boot when left out; of a route to be deleted, too. */
  readonly protocol?: number
  /** Packets are dropped; it has no link (index 0) and no gateway. */
  readonly blackhole?: boolean
}

export interface LinkRoute extends RouteSpec {
  readonly index: number
  readonly table: number
  readonly scope: number
  readonly priority: number
  readonly mtu: number
  readonly advmss: number
  readonly protocol: number
  readonly onlink: boolean
  /** RTN_*. */
  readonly type: number
}

const tableOf = (route: RouteSpec): number => route.table ?? RT_TABLE_MAIN
/** As `ip route`: a route without gateway reaches what is on the link. */
export const scopeOf = (route: RouteSpec): number =>
  route.scope ?? (isOntoLink(route) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE)
const isOntoLink = ({ via, blackhole, dst }: RouteSpec): boolean =>
  via === undefined && !blackhole && cidrFamily(dst) === 4

/** IP6_RT_PRIO_USER: what IPv6 takes a metric of 0 for. */
const PRIORITY_IPV6 = 1024
/** The metric that the kernel shows. */
export const priorityOf = (route: RouteSpec): number =>
  route.priority || (cidrFamily(route.dst) === 4 ? 0 : PRIORITY_IPV6)

const header = (route: RouteSpec): Uint8Array => {
  const table = tableOf(route)
  return rtmsg({
    family: afOf(cidrFamily(route.dst)),
    dstLength: lengthOf(route.dst),
    table: table < 256 ? table : 0,
    protocol: route.protocol ?? RTPROT_BOOT,
    scope: scopeOf(route),
    type: route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST,
    flags: route.onlink === true ? RTNH_F_ONLINK : 0,
  })
}

const metricsOf = ({ mtu, advmss }: RouteSpec): Attr[] => {
  const metrics: Attr[] = []
  if (mtu) metrics.push([RTAX_MTU, mtu])
  if (advmss) metrics.push([RTAX_ADVMSS, advmss])
  return metrics
}

/** Of the first address. */
const prefixBytes = (c: Cidr): Uint8Array => {
  const length = lengthOf(c)
  const bytes = ipBytes(addressOf(c))
  for (let i = length >> 3; i < bytes.length; i++)
    bytes[i] = (bytes[i] ?? 0) & (0xff00 >> Math.max(0, Math.min(8, length - 8 * i)))
  return bytes
}

const attrsOf = (index: number, route: RouteSpec): Attr[] => {
  const attrs: Attr[] = [[RTA_DST, prefixBytes(route.dst)]]
  if (!route.blackhole) attrs.push([RTA_OIF, index])
  attrs.push([RTA_TABLE, tableOf(route)])
  if (route.via !== undefined) attrs.push([RTA_GATEWAY, ipBytes(route.via)])
  if (route.src !== undefined) attrs.push([RTA_PREFSRC, ipBytes(route.src)])
  if (route.priority) attrs.push([RTA_PRIORITY, route.priority])
  if (route.mtu || route.advmss) attrs.push([RTA_METRICS, metricsOf(route)])
  return attrs
}

/** `ip route add`; EEXIST when one to the same destination with the same metric is there. Not exclusive: `ip route prepend`,
 *  EEXIST only when the very same route is there. */
export const newRoute = (index: number, route: RouteSpec, exclusive = true): Message => ({
  type: RTM_NEWROUTE,
  flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0),
  header: header(route),
  attrs: attrsOf(index, route),
})

/** `ip route replace`: in place of whichever has the same destination and metric, so that no packet finds neither. */
export const replaceRoute = (index: number, route: RouteSpec): Message => ({
  ...newRoute(index, route),
  flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
})

/** `ip route del`. */
export const delRoute = (index: number, route: RouteSpec): Message => ({
  type: RTM_DELROUTE,
  flags: NLM_F_REQUEST | NLM_F_ACK,
  header: header(route),
  attrs: attrsOf(index, route),
})

const ipAttr = (bytes: Uint8Array | undefined): Ip | undefined => (bytes === undefined ? undefined : ipOf(bytes))

interface NextHop {
  readonly index: number
  readonly via?: Ip
}

/** The struct rtnexthop, each followed by its attributes, that RTA_MULTIPATH holds. */
const decodeNextHops = (bytes: Uint8Array): NextHop[] => {
  const length = readU16(bytes)
  if (length < RTNEXTHOP_SIZE || length > bytes.length) return []
  const via = ipAttr(decodeAttrs(bytes.subarray(RTNEXTHOP_SIZE, length)).get(RTA_GATEWAY))
  const hop = { index: readU32(bytes.subarray(4)), ...(via === undefined ? {} : { via }) }
  return [hop, ...decodeNextHops(bytes.subarray(length))]
}

const nextHopsOf = (attrs: ReturnType<typeof decodeAttrs>): NextHop[] => {
  const multipath = attrs.get(RTA_MULTIPATH)
  if (multipath !== undefined) return decodeNextHops(multipath)
  const via = ipAttr(attrs.get(RTA_GATEWAY))
  return [{ index: readU32(attrs.get(RTA_OIF)), ...(via === undefined ? {} : { via }) }]
}

/** Of what follows nlmsghdr, a route for each next hop: IPv6 shows routes of one destination and metric, which were added one by one, as one. */
export const decodeRoutes = (body: Uint8Array): LinkRoute[] => {
  const attrs = decodeAttrs(body.subarray(12))
  const metrics = decodeAttrs(attrs.get(RTA_METRICS) ?? new Uint8Array(0))
  const width = body[0] === 2 ? 4 : 16
  const src = ipAttr(attrs.get(RTA_PREFSRC))
  const route = {
    dst: cidrOf(ipAttr(attrs.get(RTA_DST)) ?? ipOf(new Uint8Array(width)), body[1] ?? 0),
    table: readU32(attrs.get(RTA_TABLE)),
    scope: body[6] ?? 0,
    priority: readU32(attrs.get(RTA_PRIORITY)),
    mtu: readU32(metrics.get(RTAX_MTU)),
    advmss: readU32(metrics.get(RTAX_ADVMSS)),
    protocol: body[5] ?? 0,
    type: body[7] ?? 0,
    ...(body[7] === RTN_BLACKHOLE ? { blackhole: true } : {}),
    onlink: (readU32(body.subarray(8)) & RTNH_F_ONLINK) !== 0,
    ...(src === undefined ? {} : { src }),
  }
  return nextHopsOf(attrs).map((hop) => ({ ...route, ...hop }))
}

/** Which routes a dump is to hold; the kernel leaves out the others (4.20; before, it shows them all). */
export interface RouteFilter {
  /** Of the link they leave by. */
  readonly index?: number
  /** RTN_*. */
  readonly type?: number
}

/** `ip route show`, of one family. */
export const getRoutes = (family: Family, { index, type = 0 }: RouteFilter): Message => ({
  type: RTM_GETROUTE,
  flags: NLM_F_REQUEST | NLM_F_DUMP,
  header: rtmsg({ family: afOf(family), dstLength: 0, table: 0, protocol: 0, scope: 0, type, flags: 0 }),
  attrs: index === undefined ? [] : [[RTA_OIF, index]],
})

/** Every route of a family in the socket's namespace, of whichever type, in every table. @throws NetlinkError */
export const dumpAnyRoutes = (socket: NetlinkSocket, family: Family, filter: RouteFilter = {}): LinkRoute[] =>
  socket.request('ip route show', getRoutes(family, filter)).flatMap(({ body }) => decodeRoutes(body))

const dumpType = (socket: NetlinkSocket, family: Family, type: number, filter: RouteFilter): LinkRoute[] =>
  dumpAnyRoutes(socket, family, filter).filter((route) => route.type === type)

/** Every unicast route of a family in the socket's namespace. @throws NetlinkError */
export const dumpRoutes = (socket: NetlinkSocket, family: Family): LinkRoute[] =>
  dumpType(socket, family, RTN_UNICAST, {})

/** Every blackhole of a family in the socket's namespace; its index says nothing. @throws NetlinkError */
export const dumpBlackholes = (socket: NetlinkSocket, family: Family): LinkRoute[] =>
  dumpType(socket, family, RTN_BLACKHOLE, { type: RTN_BLACKHOLE })

export const sameDestination = (a: Cidr, b: Cidr): boolean => lengthOf(a) === lengthOf(b) && firstOf(a) === addressOf(b)
