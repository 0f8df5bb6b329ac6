/** What one notification says, read with as little work as it takes: a busy node has thousands of them, of which few
 *  matter. linux/rtnetlink.h, linux/neighbour.h, linux/netfilter/nf_tables.h. */
import { type Cidr, cidrOf } from '../addr/cidr.ts'
import { type Ip, ipOf } from '../addr/ip.ts'
import { type Mac, macOf } from '../addr/mac.ts'
import { readText } from './message.ts'
import {
  AF_BRIDGE,
  AF_INET,
  IFF_UP,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from './rtnetlink.ts'

/** `gone`: it is not there any more; `set`: it is there, new or changed. */
type Change = 'set' | 'gone'

/** An entry of a neighbour table or of a tunnel's forwarding table. */
export interface NeighNotice {
  readonly kind: 'neigh' | 'fdb'
  readonly change: Change
  readonly index: number
  readonly ip?: Ip
  readonly lladdr?: Mac
}

export type Notice =
  | {
      readonly kind: 'link'
      readonly change: Change
      readonly index: number
      readonly name: string
      readonly up: boolean
    }
  | { readonly kind: 'addr'; readonly change: Change; readonly index: number; readonly address?: Ip }
  /** `index` is 0 for a route without a link (blackhole) or with several. Routes of the table local are not told: they come
   *  and go with addresses. */
  | {
      readonly kind: 'route'
      readonly change: Change
      readonly index: number
      readonly dst: Cidr
      /** RTPROT_*. */
      readonly protocol: number
    }
  | NeighNotice
  /** Something in an nft table. */
  | { readonly kind: 'nft'; readonly table: string }

const NLMSG_HDRLEN = 16
const IFLA_IFNAME = 3
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const RTA_DST = 1
const RTA_OIF = 4
const RT_TABLE_LOCAL = 255
const NDA_DST = 1
const NDA_LLADDR = 2
const NTF_SELF = 0x02
const NLA_TYPE_MASK = 0x3fff
const NFNL_SUBSYS_NFTABLES = 10
/** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE, NFTA_OBJ_TABLE ... */
const NFTA_TABLE = 1
const NFT_MSG_NEWGEN = 15

/** One message in a buffer of several. */
interface Part {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where what follows nlmsghdr begins, and where the message ends. */
  readonly body: number
  readonly end: number
}

/** The value of the first attribute `type`, of those that begin at `from`. */
const attrOf = ({ bytes, view, end }: Part, from: number, type: number): Uint8Array | undefined => {
  for (let at = from; at + 4 <= end; ) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > end) return undefined
    if ((view.getUint16(at + 2, true) & NLA_TYPE_MASK) === type) return bytes.subarray(at + 4, at + length)
    at += (length + 3) & ~3
  }
  return undefined
}

const changeOf = (gone: boolean): Change => (gone ? 'gone' : 'set')

/** A bridge tells of a port that leaves it with RTM_DELLINK of the family AF_BRIDGE: the link is still there. */
const linkOf = (part: Part, gone: boolean): Notice => ({
  kind: 'link',
  change: changeOf(gone && part.bytes[part.body] !== AF_BRIDGE),
  index: part.view.getUint32(part.body + 4, true),
  name: readText(attrOf(part, part.body + 16, IFLA_IFNAME)),
  up: (part.view.getUint32(part.body + 8, true) & IFF_UP) !== 0,
})

const addrOf = (part: Part, gone: boolean): Notice => {
  const from = part.body + 8
  const address = attrOf(part, from, IFA_LOCAL) ?? attrOf(part, from, IFA_ADDRESS)
  return {
    kind: 'addr',
    change: changeOf(gone),
    index: part.view.getUint32(part.body + 4, true),
    ...(address === undefined ? {} : { address: ipOf(address) }),
  }
}

const routeOf = (part: Part, gone: boolean): Notice | undefined => {
  const { bytes, body } = part
  if (bytes[body + 4] === RT_TABLE_LOCAL) return undefined
  const from = body + 12
  const oif = attrOf(part, from, RTA_OIF)
  const dst = attrOf(part, from, RTA_DST) ?? new Uint8Array(bytes[body] === AF_INET ? 4 : 16)
  return {
    kind: 'route',
    change: changeOf(gone),
    index: oif === undefined ? 0 : part.view.getUint32(oif.byteOffset - bytes.byteOffset, true),
    dst: cidrOf(ipOf(dst), bytes[body + 1] ?? 0),
    protocol: bytes[body + 5] ?? 0,
  }
}

/** NTF_SELF: the link's own forwarding table, not that of the bridge it is a port of. */
const neighOf = (part: Part, gone: boolean, concerns: (index: number) => boolean): Notice | undefined => {
  const { bytes, view, body } = part
  const index = view.getUint32(body + 4, true)
  const isFdb = bytes[body] === AF_BRIDGE
  if (!concerns(index) || (isFdb && ((bytes[body + 10] ?? 0) & NTF_SELF) === 0)) return undefined
  const ip = attrOf(part, body + 12, NDA_DST)
  const lladdr = attrOf(part, body + 12, NDA_LLADDR)
  return {
    kind: isFdb ? 'fdb' : 'neigh',
    change: changeOf(gone),
    index,
    ...(ip === undefined ? {} : { ip: ipOf(ip) }),
    ...(lladdr === undefined ? {} : { lladdr: macOf(lladdr) }),
  }
}

const noticeOf = (part: Part, type: number, concerns: (index: number) => boolean): Notice | undefined => {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return linkOf(part, type === RTM_DELLINK)
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return addrOf(part, type === RTM_DELADDR)
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return routeOf(part, type === RTM_DELROUTE)
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return neighOf(part, type === RTM_DELNEIGH, concerns)
    default:
      return undefined
  }
}

const nftOf = (part: Part, type: number): Notice | undefined => {
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES || (type & 0xff) === NFT_MSG_NEWGEN) return undefined
  return { kind: 'nft', table: readText(attrOf(part, part.body + 4, NFTA_TABLE)) }
}

/** What is not told, and therefore not even read. */
export interface Unheard {
  /** Port ids of sockets whose own doing is not told. */
  readonly ports: ReadonlySet<number>
  /** Whether neighbours and forwarding entries of a link are told. */
  readonly concerns: (index: number) => boolean
}

/** The notices in the messages of NETLINK_ROUTE or NETLINK_NETFILTER in `bytes`, in order. */
export const decodeNotices = (source: 'route' | 'nftables', bytes: Uint8Array, unheard: Unheard): Notice[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const notices: Notice[] = []
  for (let at = 0; at + NLMSG_HDRLEN <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < NLMSG_HDRLEN || at + length > bytes.length) break
    const type = view.getUint16(at + 4, true)
    const part = { bytes, view, body: at + NLMSG_HDRLEN, end: at + length }
    at += (length + 3) & ~3
    if (unheard.ports.has(view.getUint32(part.body - 4, true))) continue
    const notice = source === 'route' ? noticeOf(part, type, unheard.concerns) : nftOf(part, type)
    if (notice !== undefined) notices.push(notice)
  }
  return notices
}
