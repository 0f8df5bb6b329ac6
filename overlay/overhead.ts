/** Bytes that an encapsulation adds to each packet, by the family of the packets that carry it. */

/** Outer IP header, UDP, VXLAN header, inner Ethernet header. RFC 7348 §5; RFC 8200 §3. */
export const VXLAN_OVERHEAD = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const

/** The larger outer header, UDP, and the 32 bytes of a transport message: one number for both families, as every node must
 *  reckon alike. flannel pkg/backend/wireguard `overhead`. */
export const WIREGUARD_OVERHEAD = 40 + 8 + 32

/** An outer IPv4 header. RFC 2003 §3. */
export const IPIP_OVERHEAD = 20
