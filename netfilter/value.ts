/** Values of nft's data types: bytes, and the text `nft list` prints. */
import { addressOf, type Cidr, firstOf, lengthOf } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { familyOf, ipBytes, ipOf, parseIp } from '../addr/ip.ts'
import { macBytes, macOf, parseMac } from '../addr/mac.ts'
import { readText } from '../netlink/message.ts'
import { type DataType, registerBytes, specOf } from './datatype.ts'

/** An address, name or symbol as text (`10.0.0.1`, `eth0`, `tcp`), or a number. */
export type Scalar = string | number
export interface Range {
  readonly from: Scalar
  readonly to: Scalar
}
/** One part of a key: a value, a range of values, or a prefix as text (`10.0.0.0/8`, of address types only). */
export type Field = Scalar | Range

export const isRange = (field: Field): field is Range => typeof field === 'object'
export const isPrefix = (type: DataType, field: Field): field is Cidr =>
  typeof field === 'string' && specOf(type).form === 'ip' && field.includes('/')

const refuse = (type: DataType, value: Scalar, allowed: string): never => {
  throw new DecodeError(type, `${quote(value)} is no value of this type; allowed: ${allowed}`)
}

/** The number that `value`, a number or a name, stands for. @throws DecodeError */
export const numberOf = (type: DataType, value: Scalar): number => {
  const { names = {}, bytes } = specOf(type)
  const number = typeof value === 'number' ? value : names[value]
  if (number !== undefined && Number.isInteger(number) && number >= 0 && number < 2 ** (8 * bytes)) return number
  return refuse(type, value, [`0 to ${2 ** (8 * bytes) - 1}`, ...Object.keys(names)].join(', '))
}

const numberBytes = (type: DataType, value: number): Uint8Array => {
  const { bytes, order } = specOf(type)
  const out = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) out[order === 'big' ? bytes - 1 - i : i] = value >>> (8 * i)
  return out
}

const DOT = 46
const ZERO = 48

/** The bytes of a dotted quad, read once from left to right: a set may hold 50,000. Undefined for any other text. */
const quadBytes = (text: string): Uint8Array | undefined => {
  const out = new Uint8Array(4)
  let part = 0
  let octet = -1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT && octet >= 0 && part < 3) {
      out[part++] = octet
      octet = -1
    } else if (code >= ZERO && code <= ZERO + 9 && octet !== 0) octet = Math.max(octet, 0) * 10 + code - ZERO
    else return undefined
    if (octet > 255) return undefined
  }
  if (part < 3 || octet < 0) return undefined
  out[3] = octet
  return out
}

const addressBytes = (type: DataType, value: Scalar): Uint8Array => {
  const quad = type === 'ipv4_addr' && typeof value === 'string' ? quadBytes(value) : undefined
  if (quad !== undefined) return quad
  const address = parseIp(String(value), type)
  if (familyOf(address) !== (type === 'ipv4_addr' ? 4 : 6)) refuse(type, value, 'an address of the other family')
  return ipBytes(address)
}

const utf8 = new TextEncoder()

/** Text closed by NULs up to the type's width. @throws DecodeError when it does not fit */
const textBytes = (type: DataType, value: Scalar): Uint8Array => {
  const { bytes } = specOf(type)
  const text = utf8.encode(String(value))
  if (text.length >= bytes || text.includes(0)) refuse(type, value, `text of at most ${bytes - 1} bytes`)
  const out = new Uint8Array(bytes)
  out.set(text)
  return out
}

/** Bytes of one value, in the type's byte order. @throws DecodeError when it is none of the type */
export const encodeScalar = (type: DataType, value: Scalar): Uint8Array => {
  switch (specOf(type).form) {
    case 'ip':
      return addressBytes(type, value)
    case 'mac':
      return macBytes(parseMac(String(value), type))
    case 'text':
      return textBytes(type, value)
    case 'number':
      return numberBytes(type, numberOf(type, value))
  }
}

/** Bytes of an address with the bits behind `length` cleared, or all set. */
const masked = (address: Uint8Array, length: number, fill: 0 | 0xff): Uint8Array =>
  address.map((byte, i) => {
    const kept = 0xff00 >> Math.max(0, Math.min(8, length - 8 * i))
    return (byte & kept) | (fill & ~kept)
  })

const prefixBounds = (type: DataType, field: string): readonly [Uint8Array, Uint8Array] => {
  const slash = field.indexOf('/')
  const address = addressBytes(type, field.slice(0, slash))
  const length = Number(field.slice(slash + 1))
  if (!Number.isInteger(length) || length < 0 || length > 8 * address.length)
    refuse(type, field, `a prefix length of 0 to ${8 * address.length}`)
  return [masked(address, length, 0), masked(address, length, 0xff)]
}

/** Bytes of the first and the last value of a field, inclusive. @throws DecodeError as `encodeScalar` */
export const encodeBounds = (type: DataType, field: Field): readonly [first: Uint8Array, last: Uint8Array] => {
  if (isRange(field)) return [encodeScalar(type, field.from), encodeScalar(type, field.to)]
  if (isPrefix(type, field)) return prefixBounds(type, field)
  const bytes = encodeScalar(type, field)
  return [bytes, bytes]
}

/** `parts` one after the other, each padded to whole registers; a single one is not padded. */
export const concatFields = (parts: readonly Uint8Array[]): Uint8Array => {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  const out = new Uint8Array(parts.reduce((sum, part) => sum + registerBytes(part.length), 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += registerBytes(part.length)
  }
  return out
}

const readNumber = (type: DataType, bytes: Uint8Array): number => {
  const ordered = specOf(type).order === 'big' ? bytes : bytes.toReversed()
  return ordered.reduce((number, byte) => number * 256 + byte, 0)
}

const nameOf = (type: DataType, number: number): Scalar =>
  Object.entries(specOf(type).names ?? {}).find(([, value]) => value === number)?.[0] ?? number

/** The value that `bytes` hold: the inverse of `encodeScalar`, with names where a number has one. */
const decodeScalar = (type: DataType, bytes: Uint8Array): Scalar => {
  switch (specOf(type).form) {
    case 'ip':
      return ipOf(bytes)
    case 'mac':
      return macOf(bytes)
    case 'text':
      return readText(bytes)
    case 'number':
      return nameOf(type, readNumber(type, bytes))
  }
}

/** The values in a key or in data: the inverse of `concatFields`. */
export const decodeFields = (types: readonly DataType[], bytes: Uint8Array): Scalar[] => {
  let at = 0
  return types.map((type) => {
    const { bytes: width } = specOf(type)
    at += registerBytes(width)
    return decodeScalar(type, bytes.subarray(at - registerBytes(width), at - registerBytes(width) + width))
  })
}

/** Names of the bits in `value`, joined as nft prints them. */
const bitNames = (type: DataType, value: number): string =>
  Object.entries(specOf(type).names ?? {})
    .filter(([, bit]) => (value & bit) !== 0)
    .map(([name]) => name)
    .join(',')

/** Text of one value as nft prints it. */
export const renderScalar = (type: DataType, value: Scalar): string => {
  const { form, hex, bits } = specOf(type)
  if (form === 'text') return `"${value}"`
  if (form !== 'number') return String(value)
  const number = numberOf(type, value)
  if (bits === true && number !== 0) return bitNames(type, number)
  if (hex === true) return `0x${number.toString(16).padStart(8, '0')}`
  return String(nameOf(type, number))
}

/** Text of a field as nft prints it: a full-length prefix as its address, a range as `from-to`. */
export const renderField = (type: DataType, field: Field): string => {
  if (isRange(field)) return `${renderScalar(type, field.from)}-${renderScalar(type, field.to)}`
  if (!isPrefix(type, field)) return renderScalar(type, field)
  const full = 8 * specOf(type).bytes
  return lengthOf(field) === full ? addressOf(field) : `${firstOf(field)}/${lengthOf(field)}`
}
