/** An address with a prefix length, as canonical text `address/length`. Host bits may be set: `10.1.2.3/24` is a pod's
 *  address; `networkOf` clears them. */
import { DecodeError, quote } from './error.ts'
import { type Family, familyOf, type Ip, ipNumber, ipOfNumber, readIp, widthOf } from './ip.ts'

declare const cidr: unique symbol
export type Cidr = string & { readonly [cidr]: true }

/** Bits of an IPv4-mapped IPv6 address before the IPv4 address: RFC 4291 §2.5.5.2. */
const MAPPED = 96

/** A whole number from 0 in decimal, without sign or leading zeros. */
const isNumeral = (text: string): boolean => {
  const number = Number(text)
  return Number.isInteger(number) && number >= 0 && String(number) === text
}

/** `text` as `address/length`, or undefined. The length is decimal without leading zeros and at most the width; that of an
 *  IPv4-mapped address counts the 96 bits before the IPv4 address. */
export const readCidr = (text: string): Cidr | undefined => {
  const slash = text.indexOf('/')
  const written = text.slice(0, Math.max(slash, 0))
  const address = readIp(written)
  if (address === undefined || !isNumeral(text.slice(slash + 1))) return undefined
  const skipped = familyOf(written) === familyOf(address) ? 0 : MAPPED
  const length = Number(text.slice(slash + 1)) - skipped
  return length < 0 || length > widthOf(familyOf(address)) ? undefined : cidrOf(address, length)
}

/** @throws DecodeError at `path` */
export const parseCidr = (text: string, path = 'cidr'): Cidr => {
  const parsed = readCidr(text)
  if (parsed === undefined)
    throw new DecodeError(
      path,
      `${quote(text)} is not an address with a prefix length, such as "10.1.0.0/16" or "fd00::/64"`,
    )
  return parsed
}

export const cidrOf = (address: Ip, length: number): Cidr => `${address}/${length}` as Cidr
/** The address alone as a prefix of full length: /32 or /128. */
export const hostCidr = (address: Ip): Cidr => cidrOf(address, widthOf(familyOf(address)))
export const addressOf = (c: Cidr): Ip => c.slice(0, c.indexOf('/')) as Ip
export const lengthOf = (c: Cidr): number => Number(c.slice(c.indexOf('/') + 1))
export const cidrFamily = (c: Cidr): Family => familyOf(c)

const hostBits = (c: Cidr): bigint => BigInt(widthOf(cidrFamily(c)) - lengthOf(c))

/** First address: all host bits clear. */
export const firstOf = (c: Cidr): Ip =>
  ipOfNumber((ipNumber(addressOf(c)) >> hostBits(c)) << hostBits(c), cidrFamily(c))
/** Last address: all host bits set (the broadcast address of an IPv4 subnet). */
export const lastOf = (c: Cidr): Ip => ipOfNumber(ipNumber(addressOf(c)) | ((1n << hostBits(c)) - 1n), cidrFamily(c))
/** The prefix with its host bits cleared. */
export const networkOf = (c: Cidr): Cidr => cidrOf(firstOf(c), lengthOf(c))

export const contains = (c: Cidr, address: Ip): boolean =>
  familyOf(address) === cidrFamily(c) && ipNumber(address) >> hostBits(c) === ipNumber(addressOf(c)) >> hostBits(c)

export const overlaps = (a: Cidr, b: Cidr): boolean =>
  lengthOf(a) <= lengthOf(b) ? contains(a, addressOf(b)) : contains(b, addressOf(a))
