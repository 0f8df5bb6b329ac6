/** Neighbours and forwarding entries: `ip neigh`, `bridge fdb`. linux/neighbour.h. */
import { type Family, type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import { type Mac, macBytes, macOf } from '../addr/mac.ts'
import {
  type Attr,
  decodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  readU8,
  readU16,
  readU32,
  u8,
} from './message.ts'
import { AF_BRIDGE, afOf, ndmsg, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const NDA_DST = 1
const NDA_LLADDR = 2
export const NUD_PERMANENT = 0x80
export const NUD_NOARP = 0x40
export const NTF_SELF = 0x02
export const NTF_EXT_LEARNED = 0x10
const NDA_IFINDEX = 8
const NDA_PROTOCOL = 12

/** A permanent entry. `neigh`: `ip` is at `lladdr`. `fdb`: frames to `lladdr` leave through the tunnel endpoint `ip`. */
export interface Neigh {
  readonly table: 'neigh' | 'fdb'
  readonly ip: Ip
  readonly lladdr: Mac
  /** RTPROT: whose entry it is. The kernel keeps no protocol for a forwarding entry: one that has it here is marked
   *  NTF_EXT_LEARNED instead. */
  readonly protocol?: number
}

export interface LinkNeigh extends Neigh {
  readonly index: number
  readonly permanent: boolean
  /** RTPROT of a neighbour; 0 when it has none, and of every forwarding entry. */
  readonly protocol: number
  /** NTF_EXT_LEARNED. */
  readonly marked: boolean
}

const familyByte = (entry: Neigh): number => (entry.table === 'fdb' ? AF_BRIDGE : afOf(entry.ip.includes(':') ? 6 : 4))
const header = (index: number, entry: Neigh): Uint8Array =>
  ndmsg(
    familyByte(entry),
    index,
    entry.table === 'fdb' ? NUD_PERMANENT | NUD_NOARP : NUD_PERMANENT,
    entry.table === 'fdb' ? NTF_SELF | (entry.protocol === undefined ? 0 : NTF_EXT_LEARNED) : 0,
  )
const attrs = ({ table, ip, lladdr, protocol }: Neigh): Attr[] => {
  const both: Attr[] = [
    [NDA_DST, ipBytes(ip)],
    [NDA_LLADDR, macBytes(lladdr)],
  ]
  if (table === 'neigh' && protocol !== undefined) both.push([NDA_PROTOCOL, u8(protocol)])
  return both
}

/** `ip neigh replace ... nud permanent`, `bridge fdb replace ... self permanent`. */
export const newNeigh = (index: number, entry: Neigh): Message => ({
  type: RTM_NEWNEIGH,
  flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
  header: header(index, entry),
  attrs: attrs(entry),
})

export const delNeigh = (index: number, entry: Neigh): Message => ({
  type: RTM_DELNEIGH,
  flags: NLM_F_REQUEST | NLM_F_ACK,
  header: header(index, entry),
  attrs: attrs(entry),
})

/** Of what follows nlmsghdr. Undefined for an entry without a destination: that of a bridge's port, of one that is being resolved. */
export const decodeNeigh = (table: 'neigh' | 'fdb', body: Uint8Array): LinkNeigh | undefined => {
  const found = decodeAttrs(body.subarray(12))
  const dst = found.get(NDA_DST)
  const lladdr = found.get(NDA_LLADDR)
  if (dst === undefined || lladdr === undefined) return undefined
  return {
    table,
    ip: ipOf(dst),
    lladdr: macOf(lladdr),
    index: readU32(body.subarray(4)),
    permanent: (readU16(body.subarray(8)) & NUD_PERMANENT) !== 0,
    protocol: table === 'fdb' ? 0 : readU8(found.get(NDA_PROTOCOL)),
    marked: ((body[10] ?? 0) & NTF_EXT_LEARNED) !== 0,
  }
}

/** `ip neigh show` of one family, or `bridge fdb show`: of all links, or of link `index` alone (before 4.20 of all in any
 *  case). */
export const getNeighs = (table: 'neigh' | 'fdb', family: Family, index?: number): Message => ({
  type: RTM_GETNEIGH,
  flags: NLM_F_REQUEST | NLM_F_DUMP,
  header: ndmsg(table === 'fdb' ? AF_BRIDGE : afOf(family), table === 'fdb' ? (index ?? 0) : 0, 0, 0),
  attrs: table === 'fdb' || index === undefined ? [] : [[NDA_IFINDEX, index]],
})

export const GET_NEIGHS = { neigh: 'ip neigh show', fdb: 'bridge fdb show' } as const

/** Entries of the neighbour tables of a family, or of the forwarding tables of tunnel links. @throws NetlinkError */
export const dumpNeighs = (socket: NetlinkSocket, table: 'neigh' | 'fdb', family: Family): LinkNeigh[] =>
  socket
    .request(GET_NEIGHS[table], getNeighs(table, family))
    .map(({ body }) => decodeNeigh(table, body))
    .filter((entry) => entry !== undefined)
