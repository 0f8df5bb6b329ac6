/** Connection tracking over netlink: flows read, filtered by the kernel as far as it can, and deleted by their original
 *  tuple. linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c. */
import { type Family, type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import {
  type Attr,
  be16,
  be32,
  decodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  type Received,
  readBe16,
  readBe32,
  readU8,
  u8,
  u32,
} from './message.ts'
import { NFGENMSG_SIZE, NFNL_SUBSYS_CTNETLINK, NFPROTO_IPV4, NFPROTO_IPV6, nfMessage } from './nfnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const IPCTNL_MSG_CT_GET = 1
const IPCTNL_MSG_CT_DELETE = 2

const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_REPLY = 2
const CTA_STATUS = 3
const CTA_TIMEOUT = 7
const CTA_MARK = 8
const CTA_ID = 12
const CTA_ZONE = 18
const CTA_FILTER = 25
const CTA_FILTER_ORIG_FLAGS = 1
const CTA_FILTER_REPLY_FLAGS = 2
const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_TUPLE_ZONE = 3
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
const CTA_PROTO_ICMP_ID = 4
const CTA_PROTO_ICMPV6_ID = 7

export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17

/** One direction of a flow. */
export interface Tuple {
  readonly src: Ip
  readonly dst: Ip
  /** IPPROTO_*. */
  readonly protocol: number
  /** 0 for a protocol without ports. */
  readonly srcPort: number
  readonly dstPort: number
  /** Attributes of the protocol that are not ports (type, code and id of ICMP), as they came. */
  readonly rest: readonly Attr[]
  /** Zone of this direction; 0 unless the rules put it in another. */
  readonly zone: number
}

export interface Flow {
  readonly original: Tuple
  readonly reply: Tuple
  /** IPS_* bits. */
  readonly status: number
  readonly mark: number
  /** Seconds until it expires. */
  readonly timeout: number
  /** Tells this flow from a later one with the same tuple. */
  readonly id: number
  /** Zone of both directions. */
  readonly zone: number
}

/** Parts of a tuple that a flow must have. */
export type TupleFilter = Partial<Pick<Tuple, 'src' | 'dst' | 'protocol' | 'srcPort' | 'dstPort'>>

export interface FlowFilter {
  readonly original?: TupleFilter
  readonly reply?: TupleFilter
}

const PORTS_AND_NUMBER: readonly number[] = [CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT]
const NONE = new Uint8Array(0)

const decodeTuple = (bytes: Uint8Array): Tuple => {
  const tuple = decodeAttrs(bytes)
  const ip = decodeAttrs(tuple.get(CTA_TUPLE_IP) ?? NONE)
  const proto = decodeAttrs(tuple.get(CTA_TUPLE_PROTO) ?? NONE)
  return {
    src: ipOf(ip.get(CTA_IP_V4_SRC) ?? ip.get(CTA_IP_V6_SRC) ?? new Uint8Array(4)),
    dst: ipOf(ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST) ?? new Uint8Array(4)),
    protocol: readU8(proto.get(CTA_PROTO_NUM)),
    srcPort: readBe16(proto.get(CTA_PROTO_SRC_PORT)),
    dstPort: readBe16(proto.get(CTA_PROTO_DST_PORT)),
    rest: [...proto].filter(([type]) => !PORTS_AND_NUMBER.includes(type)),
    zone: readBe16(tuple.get(CTA_TUPLE_ZONE)),
  }
}

/** The flow in an IPCTNL_MSG_CT_NEW. */
export const decodeFlow = ({ body }: Received): Flow => {
  const attrs = decodeAttrs(body.subarray(NFGENMSG_SIZE))
  return {
    original: decodeTuple(attrs.get(CTA_TUPLE_ORIG) ?? NONE),
    reply: decodeTuple(attrs.get(CTA_TUPLE_REPLY) ?? NONE),
    status: readBe32(attrs.get(CTA_STATUS)),
    mark: readBe32(attrs.get(CTA_MARK)),
    timeout: readBe32(attrs.get(CTA_TIMEOUT)),
    id: readBe32(attrs.get(CTA_ID)),
    zone: readBe16(attrs.get(CTA_ZONE)),
  }
}

const ipAttrs = ({ src, dst }: TupleFilter, family: Family): readonly Attr[] => [
  ...(src === undefined ? [] : [[family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipBytes(src)] as const]),
  ...(dst === undefined ? [] : [[family === 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipBytes(dst)] as const]),
]

const portAttrs = ({ protocol, srcPort, dstPort }: TupleFilter): readonly Attr[] => [
  ...(protocol === undefined ? [] : [[CTA_PROTO_NUM, u8(protocol)] as const]),
  ...(srcPort === undefined ? [] : [[CTA_PROTO_SRC_PORT, be16(srcPort)] as const]),
  ...(dstPort === undefined ? [] : [[CTA_PROTO_DST_PORT, be16(dstPort)] as const]),
]

/** What the kernel can compare: ports only together with the protocol that has them. */
const comparable = (filter: TupleFilter): TupleFilter => {
  if (filter.protocol !== undefined) return filter
  const { srcPort: _, dstPort: __, ...addresses } = filter
  return addresses
}

/** CTA_FILTER_F_* of net/netfilter/nf_internals.h: which parts of a tuple the kernel compares. */
const filterFlags = (filter: TupleFilter): number =>
  (['src', 'dst', undefined, 'protocol', 'srcPort', 'dstPort'] as const).reduce(
    (flags, part, bit) => (part === undefined || filter[part] === undefined ? flags : flags | (1 << bit)),
    0,
  )

const filterTuple = (type: number, filter: TupleFilter, family: Family): readonly Attr[] =>
  filterFlags(filter) === 0
    ? []
    : [
        [
          type,
          [
            [CTA_TUPLE_IP, ipAttrs(filter, family)],
            [CTA_TUPLE_PROTO, portAttrs(filter)],
          ],
        ],
      ]

const filterAttrs = (original: TupleFilter, reply: TupleFilter, family: Family): readonly Attr[] => [
  ...filterTuple(CTA_TUPLE_ORIG, original, family),
  ...filterTuple(CTA_TUPLE_REPLY, reply, family),
  [
    CTA_FILTER,
    [
      [CTA_FILTER_ORIG_FLAGS, u32(filterFlags(original))],
      [CTA_FILTER_REPLY_FLAGS, u32(filterFlags(reply))],
    ],
  ],
]

const hasParts = (tuple: Tuple, filter: TupleFilter): boolean =>
  (['src', 'dst', 'protocol', 'srcPort', 'dstPort'] as const).every(
    (part) => filter[part] === undefined || filter[part] === tuple[part],
  )

const familyNumber = (family: Family): number => (family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6)

/** Flows of a family that the filter lets through. The kernel filters from 5.8 on (CTA_FILTER); what an older one sends
 *  besides is dropped here. @throws NetlinkError */
export const dumpFlows = (
  socket: NetlinkSocket,
  family: Family,
  { original = {}, reply = {} }: FlowFilter = {},
): Flow[] => {
  const [first, second] = [comparable(original), comparable(reply)]
  const attrs = filterFlags(first) + filterFlags(second) === 0 ? [] : filterAttrs(first, second, family)
  return socket
    .request(
      'conntrack -L',
      nfMessage(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP, familyNumber(family), attrs),
    )
    .map(decodeFlow)
    .filter((flow) => hasParts(flow.original, original) && hasParts(flow.reply, reply))
}

const zoneAttr = (type: number, zone: number): readonly Attr[] => (zone === 0 ? [] : [[type, be16(zone)]])

const tupleAttrs = (tuple: Tuple, family: Family): readonly Attr[] => {
  const hasPorts = !tuple.rest.some(([type]) => type >= CTA_PROTO_ICMP_ID && type <= CTA_PROTO_ICMPV6_ID + 2)
  const { protocol } = tuple
  return [
    [CTA_TUPLE_IP, ipAttrs(tuple, family)],
    [CTA_TUPLE_PROTO, hasPorts ? portAttrs(tuple) : [...portAttrs({ protocol }), ...tuple.rest]],
    ...zoneAttr(CTA_TUPLE_ZONE, tuple.zone),
  ]
}

const deletion = (
  family: Family,
  type: typeof CTA_TUPLE_ORIG | typeof CTA_TUPLE_REPLY,
  tuple: Tuple,
  zone: number,
  id?: number,
): Message =>
  nfMessage(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, familyNumber(family), [
    [type, tupleAttrs(tuple, family)],
    ...zoneAttr(CTA_ZONE, zone),
    ...(id === undefined ? [] : [[CTA_ID, be32(id)] as const]),
  ])

/** Deletes this very flow; ENOENT when it is gone, even if another has its tuple by now. */
export const delFlow = (family: Family, { original, zone, id }: Flow): Message =>
  deletion(family, CTA_TUPLE_ORIG, original, zone, id)

/** Deletes the flow that has this original tuple, or with `reply` this reply tuple; ENOENT when there is none. */
export const delByTuple = (
  family: Family,
  tuple: Omit<Tuple, 'rest' | 'zone'>,
  direction: 'original' | 'reply' = 'original',
  zone = 0,
): Message =>
  deletion(family, direction === 'original' ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY, { ...tuple, rest: [], zone: 0 }, zone)
