/** Which way the kernel would send to an address: one look-up in its routing tables. linux/rtnetlink.h RTM_GETROUTE. */
import { familyOf, type Ip, ipBytes, ipOf, widthOf } from '../addr/ip.ts'
import { isNotFound, NetlinkError } from './error.ts'
import { decodeAttrs, NLM_F_REQUEST, readU32 } from './message.ts'
import { afOf, RTM_GETROUTE, rtmsg } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const RTA_DST = 1
const RTA_OIF = 4
const RTA_PREFSRC = 7
const RTMSG_SIZE = 12
const RTMSG_TYPE = 7
export const RTN_LOCAL = 2
const ENETUNREACH = 101
const EHOSTUNREACH = 113

export interface RouteTo {
  /** RTN_*: `RTN_LOCAL` for an address of the node's own. */
  readonly type: number
  /** Index of the link it leaves by. */
  readonly index: number
  /** The address it leaves with, where the kernel says. */
  readonly src?: Ip
}

const isUnreachable = (error: unknown): boolean =>
  isNotFound(error) || (error instanceof NetlinkError && [ENETUNREACH, EHOSTUNREACH].includes(error.errno))

/** The way to `address`; undefined when there is none. @throws NetlinkError */
export const routeTo = (socket: NetlinkSocket, address: Ip): RouteTo | undefined => {
  const family = familyOf(address)
  const header = {
    family: afOf(family),
    dstLength: widthOf(family),
    table: 0,
    protocol: 0,
    scope: 0,
    type: 0,
    flags: 0,
  }
  try {
    const [found] = socket.request(`ip route get ${address}`, {
      type: RTM_GETROUTE,
      flags: NLM_F_REQUEST,
      header: rtmsg(header),
      attrs: [[RTA_DST, ipBytes(address)]],
    })
    if (found === undefined) return undefined
    const attrs = decodeAttrs(found.body.subarray(RTMSG_SIZE))
    const src = attrs.get(RTA_PREFSRC)
    return {
      type: found.body[RTMSG_TYPE] ?? 0,
      index: readU32(attrs.get(RTA_OIF)),
      ...(src === undefined ? {} : { src: ipOf(src) }),
    }
  } catch (error) {
    if (isUnreachable(error)) return undefined
    throw error
  }
}
