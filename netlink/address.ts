/** Addresses of links: `ip addr`. linux/if_addr.h. */
import { addressOf, type Cidr, cidrFamily, cidrOf, lastOf, lengthOf } from '../addr/cidr.ts'
import { ipBytes, ipOf } from '../addr/ip.ts'
import {
  type Attr,
  decodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  type Received,
  readU32,
} from './message.ts'
import { afOf, ifaddrmsg, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
export const IFA_F_NODAD = 0x02
export const IFA_F_DADFAILED = 0x08
export const IFA_F_TENTATIVE = 0x40
export const IFA_F_NOPREFIXROUTE = 0x200
const BROADCAST_MAX_LENGTH = 30

/** An address as the kernel shows it. */
export interface LinkAddress {
  readonly index: number
  readonly address: Cidr
  /** IFA_F_*. */
  readonly flags: number
}

/** RFC 3021: an IPv4 subnet of /31 or /32 has no broadcast address. */
export const hasBroadcast = (address: Cidr): boolean =>
  cidrFamily(address) === 4 && lengthOf(address) <= BROADCAST_MAX_LENGTH

const addressAttrs = (address: Cidr): Attr[] => {
  const bytes = ipBytes(addressOf(address))
  if (cidrFamily(address) === 6)
    return [
      [IFA_LOCAL, bytes],
      [IFA_ADDRESS, bytes],
    ]
  const broadcast: Attr[] = hasBroadcast(address) ? [[IFA_BROADCAST, ipBytes(lastOf(address))]] : []
  return [[IFA_LOCAL, bytes], [IFA_ADDRESS, bytes], ...broadcast]
}

/** `ip addr add ADDRESS dev INDEX`; EEXIST when it is there. IPv4 gets the subnet's broadcast address. */
export const newAddress = (index: number, address: Cidr, flags: number): Message => ({
  type: RTM_NEWADDR,
  flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
  header: ifaddrmsg(afOf(cidrFamily(address)), lengthOf(address), 0, index),
  attrs: [...addressAttrs(address), [IFA_FLAGS, flags]],
})

/** `ip addr del ADDRESS dev INDEX`. */
export const delAddress = (index: number, address: Cidr): Message => ({
  type: RTM_DELADDR,
  flags: NLM_F_REQUEST | NLM_F_ACK,
  header: ifaddrmsg(afOf(cidrFamily(address)), lengthOf(address), 0, index),
  attrs: addressAttrs(address),
})

const decodeAddress = ({ body }: Received): LinkAddress | undefined => {
  const attrs = decodeAttrs(body.subarray(8))
  const bytes = attrs.get(IFA_LOCAL) ?? attrs.get(IFA_ADDRESS)
  if (bytes === undefined) return undefined
  const flags = attrs.has(IFA_FLAGS) ? readU32(attrs.get(IFA_FLAGS)) : (body[2] ?? 0)
  return { index: readU32(body.subarray(4)), address: cidrOf(ipOf(bytes), body[1] ?? 0), flags }
}

/** The addresses of link `index`, both families. @throws NetlinkError */
export const dumpAddresses = (socket: NetlinkSocket, index: number): LinkAddress[] =>
  socket
    .request('ip addr show', {
      type: RTM_GETADDR,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      header: ifaddrmsg(0, 0, 0, index),
      attrs: [],
    })
    .map(decodeAddress)
    .filter((address) => address !== undefined && address.index === index)
    .filter((address) => address !== undefined)

/** Every address of the socket's namespace, both families, in one dump: no link of it can vanish in between.
 *  @throws NetlinkError */
export const dumpAllAddresses = (socket: NetlinkSocket): LinkAddress[] =>
  socket
    .request('ip addr show', {
      type: RTM_GETADDR,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      header: ifaddrmsg(0, 0, 0, 0),
      attrs: [],
    })
    .map(decodeAddress)
    .filter((address) => address !== undefined)
