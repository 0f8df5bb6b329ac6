/** By which of its addresses a WireGuard peer is reached when one device serves both families. flannel pkg/backend/wireguard
 *  `selectMode`. */
import { contains, parseCidr } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import { publicIPOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { WireguardBackend } from './net-conf.ts'
import type { Site } from './planner.ts'

/** RFC 1918 §3, RFC 4193 §3. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'].map((text) => parseCidr(text))

const isPublic = (address: Ip | undefined): boolean =>
  address !== undefined && !PRIVATE.some((prefix) => contains(prefix, address))

/** IPv4 where the peer's is public and this node has one; else IPv6 where both are public; else IPv4, else whatever it has. */
const bestFamily = (site: Site, peer: Lease): Family | undefined => {
  if (peer.publicIP === undefined) return peer.publicIPv6 === undefined ? undefined : 6
  if (peer.publicIPv6 === undefined || (isPublic(peer.publicIP) && site.publicIP !== undefined)) return 4
  return isPublic(peer.publicIPv6) && isPublic(site.publicIPv6) ? 6 : 4
}

/** The family of the peer's endpoint; undefined when it has no address of it. */
export const endpointFamily = (mode: WireguardBackend['mode'], site: Site, peer: Lease): Family | undefined => {
  if (mode === 'auto' || mode === 'separate') return bestFamily(site, peer)
  const family = mode === 'ipv4' ? 4 : 6
  return publicIPOf(peer, family) === undefined ? undefined : family
}
