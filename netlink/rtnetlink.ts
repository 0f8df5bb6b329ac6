/** rtnetlink: message types, families and the fixed headers before the attributes. linux/rtnetlink.h, linux/if_link.h,
 *  linux/if_addr.h, linux/neighbour.h. */
import { concat, u8, u16, u32 } from './message.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_SETLINK = 19
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26
export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30

export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10
export const afOf = (family: 4 | 6): number => (family === 4 ? AF_INET : AF_INET6)

export const IFF_UP = 0x1
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200

/** struct ifinfomsg: index 0 with IFLA_IFNAME names a link by name; only flags in `change` are set. */
export const ifinfomsg = (index = 0, flags = 0, change = 0, family = AF_UNSPEC): Uint8Array =>
  concat(u8(family), u8(0), u16(0), u32(index), u32(flags), u32(change))

/** struct ifaddrmsg. */
export const ifaddrmsg = (family: number, prefixLength: number, scope: number, index: number): Uint8Array =>
  concat(u8(family), u8(prefixLength), u8(0), u8(scope), u32(index))

/** struct ndmsg. */
export const ndmsg = (family: number, index: number, state: number, flags: number): Uint8Array =>
  Uint8Array.of(family, 0, 0, 0, index, index >> 8, index >> 16, index >> 24, state, state >> 8, flags, 0)

export interface RouteHeader {
  readonly family: number
  readonly dstLength: number
  /** 0 with RTA_TABLE for tables above 255. */
  readonly table: number
  readonly protocol: number
  readonly scope: number
  readonly type: number
  readonly flags: number
}

/** struct rtmsg. */
export const rtmsg = ({ family, dstLength, table, protocol, scope, type, flags }: RouteHeader): Uint8Array =>
  Uint8Array.of(family, dstLength, 0, 0, table, protocol, scope, type, flags, flags >> 8, flags >> 16, flags >> 24)
