/** A route as words, of a fact and of a message of a dump: equal when the kernel has exactly the route that is wanted.
 *  linux/rtnetlink.h. */
import { cidrFamily, lengthOf } from '../addr/cidr.ts'
import { NLA_F_NESTED } from './message.ts'
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
import { afOf, RTM_DELROUTE, RTM_NEWROUTE } from './rtnetlink.ts'
import { type Batch, begin, end, FLAGS, put, putAttr, putWords, type Verb } from './word-batch.ts'
import { push, pushBytes, pushIp, pushPrefix, u16At, u32At, type Words } from './words.ts'

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

/** Words before the addresses. */
const ADDRESSES = 7
/** Which of the addresses follow. */
const HAS_VIA = 1
const HAS_SRC = 2

const pushHead = (words: Words, family: number, length: number, type: number, protocol: number): void => {
  words.length = 0
  push(words, family | (length << 8) | (type << 16) | (protocol << 24))
}

/** The route that is wanted over link `index`. */
export const routeWords = (words: Words, index: number, route: RouteSpec): void => {
  const { dst, via, src, table = RT_TABLE_MAIN, protocol = RTPROT_BOOT, mtu = 0, advmss = 0, onlink, blackhole } = route
  pushHead(words, afOf(cidrFamily(dst)), lengthOf(dst), blackhole ? RTN_BLACKHOLE : RTN_UNICAST, protocol)
  const has = (via === undefined ? 0 : HAS_VIA) | (src === undefined ? 0 : HAS_SRC)
  push(words, scopeOf(route) | (onlink ? RTNH_F_ONLINK << 8 : 0) | (has << 16))
  push(words, blackhole ? 0 : index)
  push(words, table)
  push(words, priorityOf(route))
  push(words, mtu)
  push(words, advmss)
  pushPrefix(words, dst)
  if (via !== undefined) pushIp(words, via)
  if (src !== undefined) pushIp(words, src)
}

/** What the attributes of the message that is being read say; 0: not there. Addresses are where they begin. */
const found = { index: 0, table: 0, priority: 0, mtu: 0, advmss: 0, dst: 0, via: 0, src: 0 }

/** False when there are metrics besides those two. */
const readMetrics = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at + 8 <= to; at += 8) {
    const type = u16At(bytes, at + 2)
    if (type === RTAX_MTU) found.mtu = u32At(bytes, at + 4)
    else if (type === RTAX_ADVMSS) found.advmss = u32At(bytes, at + 4)
    else return false
  }
  return true
}

/** False for an attribute that no fact asks for. */
const readAttr = (bytes: Uint8Array, type: number, at: number, to: number): boolean => {
  if (type === RTA_DST) found.dst = at
  else if (type === RTA_GATEWAY) found.via = at
  else if (type === RTA_PREFSRC) found.src = at
  else if (type === RTA_OIF) found.index = u32At(bytes, at)
  else if (type === RTA_PRIORITY) found.priority = u32At(bytes, at)
  else if (type === RTA_TABLE) found.table = u32At(bytes, at)
  else if (type === RTA_METRICS) return readMetrics(bytes, at, to)
  else return type === RTA_CACHEINFO || type === RTA_PREF
  return true
}

const readAttrs = (bytes: Uint8Array, from: number, to: number): boolean => {
  found.index = found.priority = found.mtu = found.advmss = found.dst = found.via = found.src = 0
  found.table = bytes[from + 4] ?? 0
  for (let at = from + RTMSG_SIZE; at + 4 <= to; ) {
    const length = u16At(bytes, at)
    if (length < 4 || !readAttr(bytes, u16At(bytes, at + 2) & 0x3fff, at + 4, at + length)) return false
    at += (length + 3) & ~3
  }
  return true
}

/** The route of a dump that stands from its rtmsg, at `from`, to `to`. False for one that has what no fact asks for: several
 *  next hops, a type of service. */
export const readRouteWords = (words: Words, bytes: Uint8Array, from: number, to: number): boolean => {
  if (bytes[from + 3] !== 0 || !readAttrs(bytes, from, to)) return false
  const [family = 0, type = 0] = [bytes[from], bytes[from + 7]]
  const size = family === afOf(4) ? 4 : 16
  pushHead(words, family, bytes[from + 1] ?? 0, type, bytes[from + 5] ?? 0)
  const has = (found.via === 0 ? 0 : HAS_VIA) | (found.src === 0 ? 0 : HAS_SRC)
  push(words, (bytes[from + 6] ?? 0) | (((bytes[from + 8] ?? 0) & RTNH_F_ONLINK) << 8) | (has << 16))
  push(words, type === RTN_BLACKHOLE ? 0 : found.index) // IPv6 shows lo
  push(words, found.table)
  push(words, found.priority)
  push(words, found.mtu)
  push(words, found.advmss)
  for (const at of [found.dst, found.via, found.src]) if (at !== 0) pushBytes(words, bytes, at, at + size)
  return true
}

const metricsSize = (mtu: number, advmss: number): number => (mtu === 0 ? 0 : 8) + (advmss === 0 ? 0 : 8)

const putMetrics = (batch: Batch, mtu: number, advmss: number): void => {
  const size = metricsSize(mtu, advmss)
  if (size === 0) return
  put(batch, (4 + size) | ((RTA_METRICS | NLA_F_NESTED) << 16))
  if (mtu !== 0) putAttr(batch, RTAX_MTU, mtu)
  if (advmss !== 0) putAttr(batch, RTAX_ADVMSS, advmss)
}

/** Writes the message that makes or removes the route `words`. */
export const encodeRouteWords = (batch: Batch, verb: Verb, { values }: Words): void => {
  const [head = 0, shape = 0, index = 0, table = 0, priority = 0, mtu = 0, advmss = 0] = values
  const [family, length, type, protocol] = [head & 0xff, (head >> 8) & 0xff, (head >> 16) & 0xff, head >>> 24]
  const [size, has] = [family === afOf(4) ? 4 : 16, shape >> 16]
  const via = ADDRESSES + (length === 0 ? 0 : size >> 2)
  const src = via + ((has & HAS_VIA) === 0 ? 0 : size >> 2)
  const start = begin(batch, verb === 'remove' ? RTM_DELROUTE : RTM_NEWROUTE, FLAGS[verb])
  put(batch, family | (length << 8))
  put(batch, (table < 256 ? table : 0) | (protocol << 8) | ((shape & 0xff) << 16) | (type << 24))
  put(batch, (shape >> 8) & 0xff)
  if (length > 0) putWords(batch, RTA_DST, size, values, ADDRESSES)
  if (type !== RTN_BLACKHOLE) putAttr(batch, RTA_OIF, index)
  putAttr(batch, RTA_TABLE, table)
  if ((has & HAS_VIA) !== 0) putWords(batch, RTA_GATEWAY, size, values, via)
  if ((has & HAS_SRC) !== 0) putWords(batch, RTA_PREFSRC, size, values, src)
  if (priority !== 0) putAttr(batch, RTA_PRIORITY, priority)
  putMetrics(batch, mtu, advmss)
  end(batch, start)
}
