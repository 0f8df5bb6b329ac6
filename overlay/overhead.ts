/** Bytes that each backend adds to a packet, by the family of the packets that carry it. */
import type { Family } from '../addr/ip.ts'
import type { Backend } from './net-conf.ts'

/** Outer IP header, UDP, VXLAN header, inner Ethernet header. RFC 7348 §5; RFC 8200 §3. */
export const VXLAN_OVERHEAD = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const
/** The larger outer header, UDP, and the 32 bytes of a transport message: one number for both families, as every node must
 *  reckon alike. flannel pkg/backend/wireguard `overhead`. */
export const WIREGUARD_OVERHEAD = 40 + 8 + 32
/** An outer IPv4 header. RFC 2003 §3. */
export const IPIP_OVERHEAD = 20

const OVERHEAD: Readonly<Record<Backend['kind'], Readonly<Record<Family, number>>>> = {
  vxlan: VXLAN_OVERHEAD,
  'host-gw': { 4: 0, 6: 0 },
  wireguard: { 4: WIREGUARD_OVERHEAD, 6: WIREGUARD_OVERHEAD },
  ipip: { 4: IPIP_OVERHEAD, 6: IPIP_OVERHEAD },
}

/** Least that a link can carry: RFC 791 §3.2, RFC 8200 §5. */
const LEAST = { 4: 68, 6: 1280 } as const

/** The least MTU of an underlay over which a backend can carry a family. */
export const leastMtu = (kind: Backend['kind'], family: Family): number => LEAST[family] + OVERHEAD[kind][family]
