/** Addresses of a link that other nodes can reach it by, best first. flannel pkg/ip/iface.go `GetInterfaceIP4Addrs`,
 *  `compareAddrs`. */
import { addressOf, cidrFamily, parseCidr } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { LinkAddress } from '../netlink/address.ts'
import { addressRange, covers, type Range, rangeOf } from './range.ts'

/** linux/if_addr.h; what is IFA_F_TEMPORARY of IPv6 (RFC 8981) is IFA_F_SECONDARY of IPv4. */
const IFA_F_TEMPORARY = 0x01
const IFA_F_DADFAILED = 0x08
const IFA_F_DEPRECATED = 0x20
const IFA_F_PERMANENT = 0x80

const rangesOf = (...prefixes: readonly string[]): Range[] => prefixes.map((text) => rangeOf(parseCidr(text)))
const LINK_LOCAL = rangesOf('169.254.0.0/16', 'fe80::/10')
/** Unspecified, loopback, multicast, broadcast. */
const NEVER = rangesOf('0.0.0.0/32', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32', '::/127', 'ff00::/8')

const isIn = (ranges: readonly Range[], address: Range): boolean => ranges.some((range) => covers(range, address))

/** Whether an address is one that a node can be reached by: unicast, and not its own alone. */
export const isUnicast = (address: Range): boolean => !isIn(NEVER, address)

/** An address that a link gives itself: what is reached by it may be reached better. */
export const isLinkLocal = (address: Ip): boolean => isIn(LINK_LOCAL, addressRange(address))

/** The less, the better: not of this link alone, then lasting, then not made for privacy. */
const rankOf = ({ address, flags }: LinkAddress): number =>
  (isLinkLocal(addressOf(address)) ? 4 : 0) +
  ((flags & IFA_F_PERMANENT) === 0 ? 2 : 0) +
  ((flags & IFA_F_TEMPORARY) === 0 ? 0 : 1)

const isUsable = ({ address, flags }: LinkAddress): boolean =>
  (flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED)) === 0 && isUnicast(addressRange(addressOf(address)))

export const usableOf = (
  seen: { readonly addresses: readonly LinkAddress[] },
  link: { readonly index: number },
  family: Family,
): Ip[] =>
  seen.addresses
    .filter((each) => each.index === link.index && cidrFamily(each.address) === family && isUsable(each))
    .toSorted((a, b) => rankOf(a) - rankOf(b))
    .map(({ address }) => addressOf(address))
