/** Expressions: what a rule reads from a packet, its connection or the kernel. Written in nft's own words: the field of
 *  `payload('ip saddr')` is what follows in `nft` text. nft(8) EXPRESSIONS; linux/netfilter/nf_tables.h. */
import type { DataType } from './datatype.ts'
import type { Scalar } from './value.ts'

/** NFT_META_* and the type each key has. */
export const META = {
  protocol: { key: 1, type: 'ether_type' },
  mark: { key: 3, type: 'mark' },
  iif: { key: 4, type: 'iface_index' },
  oif: { key: 5, type: 'iface_index' },
  iifname: { key: 6, type: 'ifname' },
  oifname: { key: 7, type: 'ifname' },
  iiftype: { key: 8, type: 'iface_type' },
  skuid: { key: 10, type: 'uid' },
  nfproto: { key: 15, type: 'nf_proto' },
  l4proto: { key: 16, type: 'inet_proto' },
  ibrname: { key: 17, type: 'ifname' },
  obrname: { key: 18, type: 'ifname' },
  pkttype: { key: 19, type: 'pkt_type' },
} as const satisfies Record<string, { key: number; type: DataType }>
export type MetaKey = keyof typeof META

/** NFT_CT_* and the type each key has. Keys of a direction are those of the original or the reply tuple. */
export const CT = {
  state: { key: 0, type: 'ct_state' },
  direction: { key: 1, type: 'ct_dir' },
  status: { key: 2, type: 'ct_status' },
  mark: { key: 3, type: 'mark' },
  l3proto: { key: 7, type: 'nf_proto' },
  protocol: { key: 10, type: 'inet_proto' },
  'proto-src': { key: 11, type: 'inet_service' },
  'proto-dst': { key: 12, type: 'inet_service' },
  zone: { key: 17, type: 'zone' },
  'ip saddr': { key: 19, type: 'ipv4_addr' },
  'ip daddr': { key: 20, type: 'ipv4_addr' },
  'ip6 saddr': { key: 21, type: 'ipv6_addr' },
  'ip6 daddr': { key: 22, type: 'ipv6_addr' },
} as const satisfies Record<string, { key: number; type: DataType }>
export type CtKey = keyof typeof CT

/** NFT_PAYLOAD_*_HEADER, offset in bytes, type, and what stock `nft` calls the field in userdata: the numbers of the
 *  protocol's description and of the field in it (enum proto_desc_id of nftables' proto.h, and the templates there). */
export const PAYLOAD = {
  'ether daddr': { base: 0, offset: 0, type: 'ether_addr', name: [17, 1] },
  'ether saddr': { base: 0, offset: 6, type: 'ether_addr', name: [17, 2] },
  'ether type': { base: 0, offset: 12, type: 'ether_type', name: [17, 3] },
  'ip protocol': { base: 1, offset: 9, type: 'inet_proto', name: [12, 9] },
  'ip saddr': { base: 1, offset: 12, type: 'ipv4_addr', name: [12, 11] },
  'ip daddr': { base: 1, offset: 16, type: 'ipv4_addr', name: [12, 12] },
  'ip6 nexthdr': { base: 1, offset: 6, type: 'inet_proto', name: [13, 6] },
  'ip6 saddr': { base: 1, offset: 8, type: 'ipv6_addr', name: [13, 8] },
  'ip6 daddr': { base: 1, offset: 24, type: 'ipv6_addr', name: [13, 9] },
  'arp saddr ether': { base: 1, offset: 8, type: 'ether_addr', name: [15, 6] },
  'arp saddr ip': { base: 1, offset: 14, type: 'ipv4_addr', name: [15, 7] },
  'th sport': { base: 2, offset: 0, type: 'inet_service', name: [11, 1] },
  'th dport': { base: 2, offset: 2, type: 'inet_service', name: [11, 2] },
  'tcp sport': { base: 2, offset: 0, type: 'inet_service', name: [8, 1] },
  'tcp dport': { base: 2, offset: 2, type: 'inet_service', name: [8, 2] },
  'tcp flags': { base: 2, offset: 13, type: 'tcp_flag', name: [8, 7] },
  'udp sport': { base: 2, offset: 0, type: 'inet_service', name: [6, 1] },
  'udp dport': { base: 2, offset: 2, type: 'inet_service', name: [6, 2] },
  'sctp sport': { base: 2, offset: 0, type: 'inet_service', name: [10, 1] },
  'sctp dport': { base: 2, offset: 2, type: 'inet_service', name: [10, 2] },
  'icmp type': { base: 2, offset: 0, type: 'icmp_type', name: [4, 1] },
  'icmpv6 type': { base: 2, offset: 0, type: 'icmpv6_type', name: [14, 1] },
} as const satisfies Record<
  string,
  { base: 0 | 1 | 2; offset: number; type: DataType; name: readonly [protocol: number, field: number] }
>
export type PayloadField = keyof typeof PAYLOAD

/** NFTA_FIB_F_*, in the order `nft` prints them. */
export const FIB_FLAGS = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16 } as const
/** NFT_FIB_RESULT_* and the type of each. */
export const FIB_RESULTS = {
  oif: { result: 1, type: 'iface_index' },
  oifname: { result: 2, type: 'ifname' },
  type: { result: 3, type: 'fib_addrtype' },
} as const

export type Expr =
  | { readonly kind: 'meta'; readonly key: MetaKey }
  | { readonly kind: 'payload'; readonly field: PayloadField }
  | { readonly kind: 'ct'; readonly key: CtKey; readonly direction?: 'original' | 'reply' }
  | {
      readonly kind: 'fib'
      readonly flags: readonly (keyof typeof FIB_FLAGS)[]
      readonly result: keyof typeof FIB_RESULTS
    }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly mod: number; readonly offset?: number }
  | {
      readonly kind: 'jhash'
      readonly of: Expr
      readonly mod: number
      readonly seed?: number
      readonly offset?: number
    }
  | { readonly kind: 'symhash'; readonly mod: number; readonly offset?: number }
  /** `of` with `mask` applied and then `xor`: every use of `&`, `|` and `^` with constants comes down to this. */
  | { readonly kind: 'bits'; readonly of: Expr; readonly mask: number; readonly xor: number }
  | { readonly kind: 'concat'; readonly parts: readonly Expr[] }
  /** What the map `map` of the same table holds for `key`; the rule ends here for a packet whose key is not in it. */
  | { readonly kind: 'map'; readonly key: Expr; readonly map: string }
  | { readonly kind: 'value'; readonly type: DataType; readonly value: Scalar }

export const meta = (key: MetaKey): Expr => ({ kind: 'meta', key })
export const payload = (field: PayloadField): Expr => ({ kind: 'payload', field })
export const ct = (key: CtKey, direction?: 'original' | 'reply'): Expr =>
  direction === undefined ? { kind: 'ct', key } : { kind: 'ct', key, direction }
export const fib = (flags: readonly (keyof typeof FIB_FLAGS)[], result: keyof typeof FIB_RESULTS): Expr => ({
  kind: 'fib',
  flags,
  result,
})
export const numgen = (mode: 'random' | 'inc', mod: number, offset = 0): Expr => ({ kind: 'numgen', mode, mod, offset })
export const jhash = (of: Expr, mod: number, seed = 0, offset = 0): Expr => ({ kind: 'jhash', of, mod, seed, offset })
export const symhash = (mod: number, offset = 0): Expr => ({ kind: 'symhash', mod, offset })
export const concatOf = (...parts: readonly Expr[]): Expr => ({ kind: 'concat', parts })
export const mapOf = (key: Expr, map: string): Expr => ({ kind: 'map', key, map })
export const value = (type: DataType, of: Scalar): Expr => ({ kind: 'value', type, value: of })

const ALL = 0xffffffff
/** `of & bits` */
export const and = (of: Expr, bits: number): Expr => ({ kind: 'bits', of, mask: bits >>> 0, xor: 0 })
/** `of | bits` */
export const or = (of: Expr, bits: number): Expr => ({ kind: 'bits', of, mask: (ALL ^ bits) >>> 0, xor: bits >>> 0 })
/** `of ^ bits` */
export const xor = (of: Expr, bits: number): Expr => ({ kind: 'bits', of, mask: ALL, xor: bits >>> 0 })
