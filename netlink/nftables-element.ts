/** Elements of sets and maps. A list of any length is encoded into one buffer without an object per attribute, in as many
 *  messages as the 64 KiB limit of an attribute asks for. linux/netfilter/nf_tables.h NFTA_SET_ELEM_*. */

import {
  type Attr,
  decodeAttrList,
  decodeAttrs,
  type Message,
  NLA_F_NESTED,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  type Received,
  readBe32,
  readBe64,
  readText,
} from './message.ts'
import type { TableId } from './nftables.ts'
import { nftAttrs, nftRequest } from './nftables-dump.ts'
import * as nf from './nftables-uapi.ts'
import { COMMENT_MAX, decodeComment, NFTNL_UDATA_COMMENT } from './nftables-userdata.ts'
import type { NetlinkSocket } from './socket.ts'

/** Where an element of a verdict map leads: NF_* or NFT_* as u32, and the chain of a jump or goto. */
export interface VerdictData {
  readonly code: number
  readonly chain?: string
}

export interface ElementSpec {
  /** Parts of a concatenation are padded to four bytes each. */
  readonly key: Uint8Array
  /** Last key of an interval, inclusive; only of concatenated intervals. */
  readonly keyEnd?: Uint8Array
  /** NFT_SET_ELEM_*. */
  readonly flags?: number
  readonly data?: Uint8Array | VerdictData
  /** Milliseconds. */
  readonly timeout?: bigint
  readonly comment?: string
}

/** Largest value of NFTA_SET_ELEM_LIST_ELEMENTS we send: its length is a u16. */
const CHUNK = 60_000

/** More than one element can take: a key and its end of 64 bytes each, data, and a comment. */
const ELEMENT_MAX = 1024

/** A buffer that attributes are written into; `open` returns where one begins, `close` sets its length. */
class ElementWriter {
  bytes: Uint8Array
  view: DataView
  at = 0

  /** With room for `count` elements, or a chunk of them. */
  constructor(count: number) {
    this.bytes = new Uint8Array(Math.min(count * ELEMENT_MAX, CHUNK + ELEMENT_MAX))
    this.view = new DataView(this.bytes.buffer)
  }

  open(type: number): number {
    this.view.setUint16(this.at + 2, type, true)
    this.at += 4
    return this.at - 4
  }

  close(start: number): void {
    this.view.setUint16(start, this.at - start, true)
    const end = (this.at + 3) & ~3
    this.bytes.fill(0, this.at, end)
    this.at = end
  }

  attr(type: number, value: Uint8Array): void {
    const start = this.open(type)
    this.bytes.set(value, this.at)
    this.at += value.length
    this.close(start)
  }

  be32(type: number, value: number): void {
    const start = this.open(type)
    this.view.setUint32(this.at, value, false)
    this.at += 4
    this.close(start)
  }

  be64(type: number, value: bigint): void {
    const start = this.open(type)
    this.view.setBigUint64(this.at, value, false)
    this.at += 8
    this.close(start)
  }

  data(type: number, value: Uint8Array): void {
    const start = this.open(type | NLA_F_NESTED)
    this.attr(nf.NFTA_DATA_VALUE, value)
    this.close(start)
  }

  verdict({ code, chain }: VerdictData): void {
    const start = this.open(nf.NFTA_SET_ELEM_DATA | NLA_F_NESTED)
    const inner = this.open(nf.NFTA_DATA_VERDICT | NLA_F_NESTED)
    this.be32(nf.NFTA_VERDICT_CODE, code)
    if (chain !== undefined) this.attr(nf.NFTA_VERDICT_CHAIN, utf8.encode(`${chain}\0`))
    this.close(inner)
    this.close(start)
  }

  /** As `encodeComment`, without its objects. */
  comment(text: string): void {
    const start = this.open(nf.NFTA_SET_ELEM_USERDATA)
    const { written } = utf8.encodeInto(text, this.bytes.subarray(this.at + 2, this.at + 2 + COMMENT_MAX))
    this.bytes[this.at] = NFTNL_UDATA_COMMENT
    this.bytes[this.at + 1] = written + 1
    this.bytes[this.at + 2 + written] = 0
    this.at += written + 3
    this.close(start)
  }

  element({ key, keyEnd, flags = 0, data, timeout, comment }: ElementSpec): void {
    const start = this.open(nf.NFTA_LIST_ELEM | NLA_F_NESTED)
    if (flags !== 0) this.be32(nf.NFTA_SET_ELEM_FLAGS, flags)
    if (timeout !== undefined) this.be64(nf.NFTA_SET_ELEM_TIMEOUT, timeout)
    this.data(nf.NFTA_SET_ELEM_KEY, key)
    if (keyEnd !== undefined) this.data(nf.NFTA_SET_ELEM_KEY_END, keyEnd)
    if (data instanceof Uint8Array) this.data(nf.NFTA_SET_ELEM_DATA, data)
    else if (data !== undefined) this.verdict(data)
    if (comment !== undefined && comment !== '') this.comment(comment)
    this.close(start)
  }
}
const utf8 = new TextEncoder()

/** Values of NFTA_SET_ELEM_LIST_ELEMENTS that hold `elements`, in order, each below 64 KiB. */
export const encodeElements = (elements: readonly ElementSpec[]): Uint8Array[] => {
  const chunks: Uint8Array[] = []
  let writer = new ElementWriter(elements.length)
  for (const [i, element] of elements.entries()) {
    writer.element(element)
    if (writer.at < CHUNK) continue
    chunks.push(writer.bytes.subarray(0, writer.at))
    writer = new ElementWriter(elements.length - i - 1)
  }
  return writer.at === 0 ? chunks : [...chunks, writer.bytes.subarray(0, writer.at)]
}

const listAttrs = (table: TableId, set: string, elements?: Uint8Array): readonly Attr[] => [
  [nf.NFTA_SET_ELEM_LIST_TABLE, table.name],
  [nf.NFTA_SET_ELEM_LIST_SET, set],
  ...(elements === undefined ? [] : [[nf.NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, elements] as const]),
]

/** Adds elements. With `exclusive` one that is there is refused with EEXIST; without, only if its data differ (EBUSY). */
export const newElements = (
  table: TableId,
  set: string,
  elements: readonly ElementSpec[],
  exclusive = false,
): Message[] =>
  encodeElements(elements).map((chunk) =>
    nftRequest(
      table.family,
      nf.NFT_MSG_NEWSETELEM,
      NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0),
      listAttrs(table, set, chunk),
    ),
  )

/** Deletes elements by key; ENOENT when one is not there. */
export const delElements = (table: TableId, set: string, elements: readonly ElementSpec[]): Message[] =>
  encodeElements(elements).map((chunk) =>
    nftRequest(table.family, nf.NFT_MSG_DELSETELEM, 0, listAttrs(table, set, chunk)),
  )

/** Deletes all elements. */
export const flushSet = (table: TableId, set: string): Message =>
  nftRequest(table.family, nf.NFT_MSG_DELSETELEM, 0, listAttrs(table, set))

/** Asks for one element by its key; ENOENT when it, the set or the table is not there. */
export const getElement = (table: TableId, set: string, element: ElementSpec): Message => {
  const [chunk] = encodeElements([element])
  return nftRequest(table.family, nf.NFT_MSG_GETSETELEM, 0, listAttrs(table, set, chunk))
}

const decodeData = (bytes: Uint8Array): Uint8Array | VerdictData => {
  const attrs = decodeAttrs(bytes)
  const verdict = attrs.get(nf.NFTA_DATA_VERDICT)
  if (verdict === undefined) return attrs.get(nf.NFTA_DATA_VALUE) ?? new Uint8Array(0)
  const fields = decodeAttrs(verdict)
  const chain = fields.get(nf.NFTA_VERDICT_CHAIN)
  const code = readBe32(fields.get(nf.NFTA_VERDICT_CODE))
  return chain === undefined ? { code } : { code, chain: readText(chain) }
}

const decodeElement = (bytes: Uint8Array): ElementSpec => {
  const attrs = decodeAttrs(bytes)
  const value = (type: number): Uint8Array | VerdictData | undefined => {
    const found = attrs.get(type)
    return found === undefined ? undefined : decodeData(found)
  }
  const key = value(nf.NFTA_SET_ELEM_KEY)
  const keyEnd = value(nf.NFTA_SET_ELEM_KEY_END)
  const data = value(nf.NFTA_SET_ELEM_DATA)
  const timeout = attrs.get(nf.NFTA_SET_ELEM_TIMEOUT)
  const comment = decodeComment(attrs.get(nf.NFTA_SET_ELEM_USERDATA))
  const flags = readBe32(attrs.get(nf.NFTA_SET_ELEM_FLAGS))
  return {
    key: key instanceof Uint8Array ? key : new Uint8Array(0),
    ...(keyEnd instanceof Uint8Array ? { keyEnd } : {}),
    ...(flags === 0 ? {} : { flags }),
    ...(data === undefined ? {} : { data }),
    ...(timeout === undefined ? {} : { timeout: readBe64(timeout) }),
    ...(comment === '' ? {} : { comment }),
  }
}

/** The elements in one NFT_MSG_NEWSETELEM. */
export const decodeElements = (received: Received): ElementSpec[] =>
  decodeAttrList(nftAttrs(received).get(nf.NFTA_SET_ELEM_LIST_ELEMENTS) ?? new Uint8Array(0)).map(([, element]) =>
    decodeElement(element),
  )

/** All elements of a set. @throws NetlinkError (ENOENT when there is no such set) */
export const dumpElements = (socket: NetlinkSocket, table: TableId, set: string): ElementSpec[] =>
  socket
    .request(
      `nft list set ${table.name} ${set}`,
      nftRequest(table.family, nf.NFT_MSG_GETSETELEM, NLM_F_DUMP, listAttrs(table, set)),
    )
    .flatMap(decodeElements)
