/** Entries of the kernel's tables as a few 32-bit words: what route-words.ts and neigh-words.ts make of a fact and of a
 *  message of a dump, so that thousands of them are compared with no object for any. Addresses are as they lie in memory:
 *  a word of them means nothing by itself. */
import { addressOf, type Cidr, lengthOf } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'

/** In host order, as everything here. */
export const u16At = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
export const u32At = (bytes: Uint8Array, at: number): number => (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0

/** The most that an entry has: 7 words and three IPv6 addresses. */
const MOST = 19

/** An entry that is being written; one serves for all, one after the other. */
export interface Words {
  readonly values: Uint32Array
  length: number
}

export const makeWords = (): Words => ({ values: new Uint32Array(MOST), length: 0 })

export const push = (words: Words, value: number): void => {
  words.values[words.length] = value
  words.length += 1
}

/** An address of 4, 6 or 16 bytes: 1, 2 or 4 words. */
export const pushBytes = (words: Words, bytes: Uint8Array, from: number, to: number): void => {
  for (let at = from; at < to; at += 4) push(words, at + 4 <= to ? u32At(bytes, at) : u16At(bytes, at))
}

/** The value of a lower-case hex digit. */
const digitAt = (text: string, at: number): number => {
  const code = text.charCodeAt(at)
  return (code & 15) + (code >> 6) * 9
}
const octetAt = (text: string, at: number): number => (digitAt(text, at) << 4) | digitAt(text, at + 1)

export const pushMac = (words: Words, mac: Mac): void => {
  push(words, octetAt(mac, 0) | (octetAt(mac, 3) << 8) | (octetAt(mac, 6) << 16) | (octetAt(mac, 9) << 24))
  push(words, octetAt(mac, 12) | (octetAt(mac, 15) << 8))
}

const DOT = 46
const COLON = 58

const pushIpv4 = (words: Words, ip: string): void => {
  let word = 0
  let octet = 0
  let shift = 0
  for (let at = 0; at <= ip.length; at++) {
    const code = at < ip.length ? ip.charCodeAt(at) : DOT
    if (code !== DOT) octet = octet * 10 + (code & 15)
    else {
      word |= octet << shift
      shift += 8
      octet = 0
    }
  }
  push(words, word)
}

const swap = (n: number): number => ((n & 0xff) << 8) | (n >> 8)
const groups = new Uint16Array(8)

/** Canonical text (RFC 5952): what stands behind `::` is moved to the end. */
const pushIpv6 = (words: Words, ip: string): void => {
  groups.fill(0)
  let count = 0
  let gap = -1
  let group = -1
  for (let at = 0; at <= ip.length; at++) {
    if (at < ip.length && ip.charCodeAt(at) !== COLON) {
      group = (Math.max(group, 0) << 4) | digitAt(ip, at)
      continue
    }
    if (group >= 0) groups[count++] = swap(group)
    group = -1
    if (ip.charCodeAt(at + 1) === COLON) gap = count
  }
  if (gap >= 0) groups.copyWithin(8 - (count - gap), gap, count).fill(0, gap, 8 - (count - gap))
  for (let i = 0; i < 8; i += 2) push(words, (groups[i] ?? 0) | ((groups[i + 1] ?? 0) << 16))
}

export const pushIp = (words: Words, ip: Ip): void => {
  if (ip.includes(':')) pushIpv6(words, ip)
  else pushIpv4(words, ip)
}

/** The bits of byte `i` that a prefix of `length` has. */
export const maskAt = (i: number, length: number): number => 0xff & (0xff00 >> Math.max(0, Math.min(8, length - 8 * i)))

/** The first address of a prefix; none for one of length 0, of which the kernel says no destination. */
export const pushPrefix = (words: Words, c: Cidr): void => {
  const length = lengthOf(c)
  if (length === 0) return
  const first = words.length
  pushIp(words, addressOf(c))
  for (let at = first; at < words.length; at++) {
    const byte = (at - first) * 4
    const mask =
      maskAt(byte, length) |
      (maskAt(byte + 1, length) << 8) |
      (maskAt(byte + 2, length) << 16) |
      (maskAt(byte + 3, length) << 24)
    words.values[at] = (words.values[at] ?? 0) & mask
  }
}
