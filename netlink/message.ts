/** Netlink messages and attributes as data, and their bytes. Host byte order is little endian (x86-64, arm64): the only
 *  hosts podwire is built for. linux/netlink.h; Documentation/userspace-api/netlink/intro.rst. */

export const NLM_F_REQUEST = 0x1
export const NLM_F_MULTI = 0x2
export const NLM_F_ACK = 0x4
export const NLM_F_ECHO = 0x8
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
export const NLM_F_DUMP = 0x300
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff
const NLMSG_HDRLEN = 16
const NLA_HDRLEN = 4

/** A value's bytes: raw; text, closed by a NUL; a number, as u32 in host order; or attributes nested. */
export type AttrValue = Uint8Array | string | number | readonly Attr[]
export type Attr = readonly [type: number, value: AttrValue]

/** One request. `header` is what stands between nlmsghdr and the attributes: ifinfomsg, ifaddrmsg, nfgenmsg ... */
export interface Message {
  readonly type: number
  readonly flags: number
  readonly header: Uint8Array
  readonly attrs: readonly Attr[]
}

/** One message received. `body` is all after nlmsghdr. */
export interface Received {
  readonly type: number
  readonly flags: number
  readonly seq: number
  readonly body: Uint8Array
}

export const u8 = (n: number): Uint8Array => Uint8Array.of(n)
export const u16 = (n: number): Uint8Array => Uint8Array.of(n, n >> 8)
export const u32 = (n: number): Uint8Array => Uint8Array.of(n, n >> 8, n >> 16, n >> 24)
export const u64 = (n: bigint): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, n, true)
  return bytes
}
/** Network byte order. */
export const be16 = (n: number): Uint8Array => Uint8Array.of(n >> 8, n)
export const be32 = (n: number): Uint8Array => Uint8Array.of(n >> 24, n >> 16, n >> 8, n)
export const be64 = (n: bigint): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, n, false)
  return bytes
}
const utf8 = new TextEncoder()
const text8 = new TextDecoder()
/** Without a closing NUL (IFLA_INFO_KIND and the like). */
export const ascii = (text: string): Uint8Array => utf8.encode(text)
export const concat = (...parts: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A growing buffer that attributes are written into once, depth first. */
class Writer {
  bytes = new Uint8Array(4096)
  at = 0

  reserve(length: number): void {
    if (this.at + length <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + length))
    larger.set(this.bytes)
    this.bytes = larger
  }

  // by bytes: a DataView makes JavaScriptCore move each new array's memory out of its own heap
  put16(at: number, value: number): void {
    this.bytes[at] = value
    this.bytes[at + 1] = value >> 8
  }

  put32(at: number, value: number): void {
    this.put16(at, value)
    this.put16(at + 2, value >> 16)
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length + 3)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  pad(): void {
    this.reserve(3)
    this.at = (this.at + 3) & ~3
  }

  value(value: AttrValue): void {
    if (typeof value === 'number') {
      this.reserve(4)
      this.put32(this.at, value)
      this.at += 4
    } else if (typeof value === 'string') {
      this.raw(utf8.encode(value))
      this.raw(NUL)
    } else if (value instanceof Uint8Array) this.raw(value)
    else for (const nested of value) this.attr(nested)
  }

  attr([type, value]: Attr): void {
    this.reserve(NLA_HDRLEN)
    const start = this.at
    this.at += NLA_HDRLEN
    this.value(value)
    this.put16(start, this.at - start)
    this.put16(start + 2, Array.isArray(value) ? type | NLA_F_NESTED : type)
    this.pad()
  }

  message(message: Message, seq: number): void {
    this.reserve(NLMSG_HDRLEN)
    const start = this.at
    this.at += NLMSG_HDRLEN
    this.raw(message.header)
    this.pad()
    for (const attr of message.attrs) this.attr(attr)
    this.put32(start, this.at - start)
    this.put16(start + 4, message.type)
    this.put16(start + 6, message.flags)
    this.put32(start + 8, seq)
  }
}
const NUL = Uint8Array.of(0)

/** Bytes of `messages` one after the other; message i carries sequence number `firstSeq + i`. */
export const encodeMessages = (messages: readonly Message[], firstSeq: number): Uint8Array => {
  const writer = new Writer()
  for (const [i, message] of messages.entries()) writer.message(message, firstSeq + i)
  return writer.bytes.subarray(0, writer.at)
}

/** The bytes of attributes alone. */
export const encodeAttrs = (attrs: readonly Attr[]): Uint8Array => {
  const writer = new Writer()
  for (const attr of attrs) writer.attr(attr)
  return writer.bytes.subarray(0, writer.at)
}

/** The messages in `bytes`; a truncated one ends the list. */
export const decodeMessages = (bytes: Uint8Array): Received[] => {
  const view = viewOf(bytes)
  const messages: Received[] = []
  for (let at = 0; at + NLMSG_HDRLEN <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < NLMSG_HDRLEN || at + length > bytes.length) break
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      body: bytes.subarray(at + NLMSG_HDRLEN, at + length),
    })
    at += (length + 3) & ~3
  }
  return messages
}

/** Hands over each of the first `length` bytes' messages as where it lies: from behind its nlmsghdr to its end. */
export const eachMessage = (
  bytes: Uint8Array,
  length: number,
  each: (type: number, flags: number, from: number, to: number) => void,
): void => {
  const view = viewOf(bytes)
  for (let at = 0; at + NLMSG_HDRLEN <= length; ) {
    const size = view.getUint32(at, true)
    if (size < NLMSG_HDRLEN || at + size > length) return
    each(view.getUint16(at + 4, true), view.getUint16(at + 6, true), at + NLMSG_HDRLEN, at + size)
    at += (size + 3) & ~3
  }
}

/** Attributes by type without its flag bits; of a type that repeats, the last. */
export type Attrs = ReadonlyMap<number, Uint8Array>

/** Attributes in order, repeats kept (lists such as NFTA_LIST_ELEM). */
export const decodeAttrList = (bytes: Uint8Array): [type: number, value: Uint8Array][] => {
  const view = viewOf(bytes)
  const list: [number, Uint8Array][] = []
  for (let at = 0; at + NLA_HDRLEN <= bytes.length; ) {
    const length = view.getUint16(at, true)
    if (length < NLA_HDRLEN || at + length > bytes.length) break
    list.push([view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + NLA_HDRLEN, at + length)])
    at += (length + 3) & ~3
  }
  return list
}

export const decodeAttrs = (bytes: Uint8Array): Attrs => new Map(decodeAttrList(bytes))

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const EMPTY = new Uint8Array(0)
/** Readers of an attribute's value; an absent one reads as 0 or ''. */
export const readU8 = (bytes: Uint8Array = EMPTY): number => bytes[0] ?? 0
export const readU16 = (bytes: Uint8Array = EMPTY): number => (bytes.length < 2 ? 0 : viewOf(bytes).getUint16(0, true))
export const readU32 = (bytes: Uint8Array = EMPTY): number => (bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0, true))
export const readU64 = (bytes: Uint8Array = EMPTY): bigint =>
  bytes.length < 8 ? 0n : viewOf(bytes).getBigUint64(0, true)
export const readBe16 = (bytes: Uint8Array = EMPTY): number =>
  bytes.length < 2 ? 0 : viewOf(bytes).getUint16(0, false)
export const readBe32 = (bytes: Uint8Array = EMPTY): number =>
  bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0, false)
export const readBe64 = (bytes: Uint8Array = EMPTY): bigint =>
  bytes.length < 8 ? 0n : viewOf(bytes).getBigUint64(0, false)
/** Text up to its NUL. */
export const readText = (bytes: Uint8Array = EMPTY): string => {
  const end = bytes.indexOf(0)
  return text8.decode(end < 0 ? bytes : bytes.subarray(0, end))
}
