/** What the kernel says unasked: messages of multicast groups, taken without waiting. linux/netlink.h; Linux
 *  Documentation/userspace-api/netlink/intro.rst, "Notifications". */
import { closeSync } from 'node:fs'
import { addon } from '../native/addon.ts'
import { NetlinkError } from './error.ts'
import { u32 } from './message.ts'
import { native } from './socket.ts'

const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const ENOBUFS = 105
/** Bytes read in one call: a few hundred messages. The kernel keeps up to 8 MiB of them (SO_RCVBUF). */
const ROOM = 1 << 17
/** With this many bytes received, there may be more: what one message may take was left (native/socket.c). */
export const FULL = ROOM - (1 << 15)

/** Groups of NETLINK_ROUTE. linux/rtnetlink.h. */
export const RTNLGRP_LINK = 1
export const RTNLGRP_NEIGH = 3
export const RTNLGRP_IPV4_IFADDR = 5
export const RTNLGRP_IPV4_ROUTE = 7
export const RTNLGRP_IPV6_IFADDR = 9
export const RTNLGRP_IPV6_ROUTE = 11
/** The group of NETLINK_NETFILTER that tells of nftables. linux/netfilter/nfnetlink.h. */
export const NFNLGRP_NFTABLES = 7

export interface Subscription {
  readonly fd: number
  /** The messages that are waiting, empty when none is; valid until the next call. 'lost' when the kernel dropped some,
   *  since they were not read in time. @throws NetlinkError */
  readonly receive: () => Uint8Array | 'lost'
  readonly close: () => void
}

const join = (fd: number, group: number): void => {
  const { syscall, numbers } = addon()
  const answer = syscall(numbers['setsockopt'] ?? -1, fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, u32(group), 4)
  if (answer < 0) throw new NetlinkError(`subscribing to netlink group ${group}`, -answer)
}

/** A socket of `protocol` that hears `groups`, in the namespace `netns` (a descriptor; -1: this process's own).
 *  @throws NetlinkError */
export const subscribe = (protocol: number, groups: readonly number[], netns = -1): Subscription => {
  const fd = native(() => addon().netlinkOpen(protocol, netns))
  const room = new Uint8Array(ROOM)
  const receive = (): Uint8Array | 'lost' => {
    const length = addon().netlinkReceive(fd, room)
    if (length === -ENOBUFS) return 'lost'
    if (length < 0) throw new NetlinkError('netlink notification', -length)
    return room.subarray(0, length)
  }
  try {
    for (const group of groups) join(fd, group)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return { fd, receive, close: () => closeSync(fd) }
}
