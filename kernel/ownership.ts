/** Which of the kernel's entries are the overlay's, when no plan has them: docs/node-layer.md "What is ours". */
import { addressOf, type Cidr, cidrFamily, contains, firstOf, lengthOf } from '../addr/cidr.ts'
import { type Family, familyOf, type Ip, ipNumber, widthOf } from '../addr/ip.ts'
import type { LinkNeigh } from '../netlink/neigh.ts'
import { type LinkRoute, RT_SCOPE_LINK, RTPROT_BOOT, RTPROT_PODWIRE } from '../netlink/route.ts'

/** Which of the kernel's entries are ours, so that those the plan does not have are removed. */
export interface Scope {
  /** Links that exist for the overlay alone: one that the plan does not have is removed, and what is on them is its own,
   *  but for what others visibly put there. */
  readonly devices: readonly string[]
  /** Links that only carry its routes (host-gw, DirectRouting): of them, routes with its protocol into `networks`. */
  readonly carriers: readonly string[]
  readonly networks: readonly Cidr[]
}

/** Kinds of links that an overlay is made of. */
export const isOverlayKind = (kind: string): boolean => kind === 'vxlan' || kind === 'ipip' || kind === 'wireguard'

export const isWithin = (networks: readonly Cidr[], part: Cidr): boolean =>
  networks.some((network) => lengthOf(part) >= lengthOf(network) && contains(network, addressOf(part)))

/** flanneld's routes over its device: onlink, and of vxlan by the base address of the subnet itself; of wireguard onto the
 *  link. All without a protocol. pkg/backend/{vxlan,ipip,wireguard}. */
export const isFlannelRoute = (route: LinkRoute, kind: string, networks: readonly Cidr[]): boolean => {
  if (route.protocol !== RTPROT_BOOT || !isWithin(networks, route.dst)) return false
  if (kind === 'wireguard')
    return route.via === undefined && (cidrFamily(route.dst) === 6 || route.scope === RT_SCOPE_LINK)
  return route.onlink && (kind !== 'vxlan' || route.via === firstOf(route.dst))
}

/** Of a route over a link of the overlay. */
export const isOwnRoute = (route: LinkRoute, kind: string, networks: readonly Cidr[]): boolean =>
  route.protocol === RTPROT_PODWIRE || isFlannelRoute(route, kind, networks)

/** Of a route over another link, or of a blackhole. */
export const isCarriedRoute = (route: LinkRoute, networks: readonly Cidr[]): boolean =>
  route.protocol === RTPROT_PODWIRE && isWithin(networks, route.dst)

/** What flannel takes for SubnetLen and IPv6SubnetLen when nothing is said. */
const DEFAULT_LENGTH: Readonly<Record<Family, number>> = { 4: 24, 6: 64 }

/** The length of the smallest subnets among `routes`, by family: a subnet's base address has no bit set behind it. */
export const subnetLengths = (routes: readonly Cidr[]): Readonly<Record<Family, number>> => {
  const longest = { ...DEFAULT_LENGTH }
  for (const dst of routes) longest[cidrFamily(dst)] = Math.max(longest[cidrFamily(dst)], lengthOf(dst))
  return longest
}

const isBase = (ip: Ip, length: number): boolean => {
  const hostBits = BigInt(widthOf(familyOf(ip)) - length)
  return hostBits > 0n && (ipNumber(ip) & ((1n << hostBits) - 1n)) === 0n
}

/** flanneld's neighbours: permanent, without a protocol, at the base address of a subnet of the pod network. */
export const isOwnNeigh = (
  neigh: LinkNeigh,
  networks: readonly Cidr[],
  lengths: Readonly<Record<Family, number>>,
): boolean => {
  if (neigh.protocol === RTPROT_PODWIRE) return true
  if (!neigh.permanent || neigh.protocol !== 0 || !networks.some((network) => contains(network, neigh.ip))) return false
  return isBase(neigh.ip, lengths[familyOf(neigh.ip)])
}
