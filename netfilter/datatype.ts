/** nft's data types: their numbers (enum datatypes of nftables' datatype.h, which stock `nft` reads back from the kernel),
 *  widths, byte order, and the names their values have. */

interface DataTypeSpec {
  readonly id: number
  readonly bytes: number
  /** `host` values are little endian on every host podwire is built for. */
  readonly order: 'big' | 'host'
  /** How a value is written: an address, text, or a number, of which `names` have a name and the rest are printed in `base`. */
  readonly form: 'ip' | 'mac' | 'text' | 'number'
  readonly names?: Readonly<Record<string, number>>
  readonly hex?: true
  /** Values are sets of bits: `established,related`. */
  readonly bits?: true
}

/** IP protocol numbers, as /etc/protocols names them. */
export const PROTOCOLS = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
} as const

const ICMP_TYPES = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
} as const

const ICMPV6_TYPES = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'mld2-listener-report': 143,
} as const

export const DATA_TYPES = {
  integer: { id: 4, bytes: 4, order: 'host', form: 'number' },
  nf_proto: { id: 2, bytes: 1, order: 'host', form: 'number', names: { ipv4: 2, ipv6: 10 } },
  ipv4_addr: { id: 7, bytes: 4, order: 'big', form: 'ip' },
  ipv6_addr: { id: 8, bytes: 16, order: 'big', form: 'ip' },
  ether_addr: { id: 9, bytes: 6, order: 'big', form: 'mac' },
  ether_type: {
    id: 10,
    bytes: 2,
    order: 'big',
    form: 'number',
    names: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, '8021q': 0x8100, '8021ad': 0x88a8 },
  },
  inet_proto: { id: 12, bytes: 1, order: 'big', form: 'number', names: PROTOCOLS },
  inet_service: { id: 13, bytes: 2, order: 'big', form: 'number' },
  icmp_type: { id: 14, bytes: 1, order: 'big', form: 'number', names: ICMP_TYPES },
  tcp_flag: {
    id: 15,
    bytes: 1,
    order: 'host',
    form: 'number',
    names: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 },
    bits: true,
  },
  mark: { id: 19, bytes: 4, order: 'host', form: 'number', hex: true },
  iface_index: { id: 20, bytes: 4, order: 'host', form: 'number' },
  iface_type: { id: 21, bytes: 2, order: 'host', form: 'number', names: { ether: 1, loopback: 772 } },
  uid: { id: 24, bytes: 4, order: 'host', form: 'number' },
  ct_state: {
    id: 26,
    bytes: 4,
    order: 'host',
    form: 'number',
    names: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
    bits: true,
  },
  ct_dir: { id: 27, bytes: 1, order: 'host', form: 'number', names: { original: 0, reply: 1 } },
  ct_status: {
    id: 28,
    bytes: 4,
    order: 'host',
    form: 'number',
    names: {
      expected: 1,
      'seen-reply': 2,
      assured: 4,
      confirmed: 8,
      snat: 16,
      dnat: 32,
      dying: 512,
    },
    bits: true,
  },
  icmpv6_type: { id: 29, bytes: 1, order: 'big', form: 'number', names: ICMPV6_TYPES },
  pkt_type: {
    id: 31,
    bytes: 1,
    order: 'host',
    form: 'number',
    names: { host: 0, broadcast: 1, multicast: 2, other: 3 },
  },
  fib_addrtype: {
    id: 38,
    bytes: 4,
    order: 'host',
    form: 'number',
    names: {
      unspec: 0,
      unicast: 1,
      local: 2,
      broadcast: 3,
      anycast: 4,
      multicast: 5,
      blackhole: 6,
      unreachable: 7,
      prohibit: 8,
    },
  },
  ifname: { id: 41, bytes: 16, order: 'host', form: 'text' },
  zone: { id: 4, bytes: 2, order: 'host', form: 'number' },
} as const satisfies Readonly<Record<string, DataTypeSpec>>

export type DataType = keyof typeof DATA_TYPES

export const specOf = (type: DataType): DataTypeSpec => DATA_TYPES[type]

/** `bytes` rounded up to whole 32-bit registers: what a part of a concatenation takes. */
export const registerBytes = (bytes: number): number => (bytes + 3) & ~3

/** Bytes of a key or of data: exact for one type, padded parts for a concatenation. */
export const lengthOfTypes = (types: readonly DataType[]): number => {
  const [first] = types
  if (types.length === 1 && first !== undefined) return specOf(first).bytes
  return types.reduce((sum, type) => sum + registerBytes(specOf(type).bytes), 0)
}

/** Number of a type or of a concatenation: six bits to each part, the first uppermost (TYPE_BITS). */
export const numberOfTypes = (types: readonly DataType[]): number =>
  types.reduce((number, type) => (number << 6) | specOf(type).id, 0) >>> 0
