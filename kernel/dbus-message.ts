/** D-Bus messages: method calls whose arguments are all strings, and answers of which the first value matters. D-Bus
 *  Specification, "Type System", "Message Protocol". */
import { DecodeError } from '../addr/error.ts'

export interface MethodCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly args: readonly string[]
}

/** METHOD_RETURN, ERROR, or any other type of message, by its number. */
export const METHOD_RETURN = 2
export const ERROR = 3

export interface Answer {
  readonly type: number
  /** Serial of the call that this answers; 0 for a signal. */
  readonly replySerial: number
  /** '' unless `type` is ERROR. */
  readonly errorName: string
  /** The first value of the body: text, truth or number; undefined when it is empty or of another type. */
  readonly value: string | boolean | number | undefined
}

const METHOD_CALL = 1
const NO_AUTO_START = 2
const LITTLE = 'l'.charCodeAt(0)
/** Codes of header fields. */
const PATH = 1
const INTERFACE = 2
const MEMBER = 3
const ERROR_NAME = 4
const REPLY_SERIAL = 5
const DESTINATION = 6
const SIGNATURE = 8
/** The fixed part of a header and the length of the array of fields. */
export const HEADER_SIZE = 16
const MESSAGE_MAX = 1 << 20

const utf8 = new TextEncoder()
const text8 = new TextDecoder()

const aligned = (n: number, to: number): number => Math.ceil(n / to) * to

/** Bytes that grow; every value is padded to its own alignment. */
interface Writer {
  readonly bytes: number[]
  readonly align: (to: number) => void
  readonly u32: (n: number) => void
  readonly text: (text: string) => void
  readonly signature: (text: string) => void
}

const writerOf = (): Writer => {
  const bytes: number[] = []
  const align = (to: number): void => {
    while (bytes.length % to !== 0) bytes.push(0)
  }
  const u32 = (n: number): void => {
    align(4)
    bytes.push(n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, (n >>> 24) & 0xff)
  }
  const text = (value: string): void => {
    const encoded = utf8.encode(value)
    u32(encoded.length)
    bytes.push(...encoded, 0)
  }
  const signature = (value: string): void => {
    bytes.push(value.length, ...utf8.encode(value), 0)
  }
  return { bytes, align, u32, text, signature }
}

const writeField = (writer: Writer, code: number, type: string, value: string): void => {
  writer.align(8)
  writer.bytes.push(code)
  writer.signature(type)
  if (type === 'g') writer.signature(value)
  else writer.text(value)
}

/** The bytes of a call. `serial` is not 0; the answer carries it. The service is not started for it. */
export const encodeCall = (call: MethodCall, serial: number): Uint8Array => {
  const body = writerOf()
  for (const arg of call.args) body.text(arg)
  const fields = writerOf()
  writeField(fields, PATH, 'o', call.path)
  writeField(fields, INTERFACE, 's', call.interface)
  writeField(fields, MEMBER, 's', call.member)
  writeField(fields, DESTINATION, 's', call.destination)
  if (call.args.length > 0) writeField(fields, SIGNATURE, 'g', 's'.repeat(call.args.length))
  const message = writerOf()
  message.bytes.push(LITTLE, METHOD_CALL, NO_AUTO_START, 1)
  message.u32(body.bytes.length)
  message.u32(serial)
  message.u32(fields.bytes.length)
  message.bytes.push(...fields.bytes)
  message.align(8)
  return Uint8Array.from([...message.bytes, ...body.bytes])
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Length of the message that begins with these bytes, at least HEADER_SIZE of them. @throws DecodeError */
export const messageLength = (bytes: Uint8Array): number => {
  const little = bytes[0] === LITTLE
  const fields = viewOf(bytes).getUint32(12, little)
  const length = HEADER_SIZE + aligned(fields, 8) + viewOf(bytes).getUint32(4, little)
  if (length > MESSAGE_MAX) throw new DecodeError('D-Bus message', `of ${length} bytes, more than ${MESSAGE_MAX}`)
  return length
}

/** A place in a message; reading moves it. Alignment counts from `bytes`. */
interface Cursor {
  readonly bytes: Uint8Array
  readonly little: boolean
  at: number
}

const readU32 = (cursor: Cursor): number => {
  cursor.at = aligned(cursor.at, 4) + 4
  return viewOf(cursor.bytes).getUint32(cursor.at - 4, cursor.little)
}

const readChars = (cursor: Cursor, length: number): string => {
  cursor.at += length + 1
  return text8.decode(cursor.bytes.subarray(cursor.at - length - 1, cursor.at - 1))
}

const readSignature = (cursor: Cursor): string => {
  const length = cursor.bytes[cursor.at] ?? 0
  cursor.at += 1
  return readChars(cursor, length)
}

/** A value of a basic type. @throws DecodeError for a type that no answer of ours has */
const readValue = (cursor: Cursor, type: string): string | boolean | number => {
  if (type === 's' || type === 'o') return readChars(cursor, readU32(cursor))
  if (type === 'g') return readSignature(cursor)
  if (type === 'b') return readU32(cursor) !== 0
  if (type === 'u') return readU32(cursor)
  throw new DecodeError('D-Bus message', `a value of type ${type}`)
}

const readFields = (cursor: Cursor): Map<number, string | boolean | number> => {
  const length = readU32(cursor)
  const end = cursor.at + length
  const fields = new Map<number, string | boolean | number>()
  while (cursor.at < end) {
    cursor.at = aligned(cursor.at, 8)
    const code = cursor.bytes[cursor.at] ?? 0
    cursor.at += 1
    fields.set(code, readValue(cursor, readSignature(cursor)))
  }
  return fields
}

const BASIC = ['s', 'o', 'b', 'u']

/** The message in `bytes`, whole. @throws DecodeError, RangeError when it is malformed */
export const decodeAnswer = (bytes: Uint8Array): Answer => {
  const cursor: Cursor = { bytes, little: bytes[0] === LITTLE, at: 12 }
  const fields = readFields(cursor)
  const [type = ''] = String(fields.get(SIGNATURE) ?? '')
  cursor.at = aligned(cursor.at, 8)
  return {
    type: bytes[1] ?? 0,
    replySerial: Number(fields.get(REPLY_SERIAL) ?? 0),
    errorName: String(fields.get(ERROR_NAME) ?? ''),
    value: BASIC.includes(type) ? readValue(cursor, type) : undefined,
  }
}
