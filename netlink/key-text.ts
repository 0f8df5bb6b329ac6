/** Texts of bytes, two to a character, of which the keys of route-key.ts and neigh-key.ts are made. Nothing prints them. */
import { addressOf, type Cidr, lengthOf } from '../addr/cidr.ts'
import { type Ip, ipBytes } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'

/** In host order, as everything here. */
export const u16At = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
export const u32At = (bytes: Uint8Array, at: number): number => (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0

/** Of a u32. */
export const wordText = (n: number): string => String.fromCharCode(n & 0xffff, n >>> 16)

export const textAt = (bytes: Uint8Array, from: number, to: number): string => {
  if (to - from === 4) return String.fromCharCode(u16At(bytes, from), u16At(bytes, from + 2))
  let text = ''
  for (let at = from; at < to; at += 2) text += String.fromCharCode(u16At(bytes, at))
  return text
}

const swap = (n: number): number => ((n & 0xff) << 8) | (n >> 8)

/** The value of a lower-case hex digit. */
const digitAt = (text: string, at: number): number => {
  const code = text.charCodeAt(at)
  return (code & 15) + (code >> 6) * 9
}

const COLON = 58
const ZEROS = '\0'.repeat(8)
/** Of canonical text (RFC 5952), whose groups are characters already. */
const ipv6Text = (ip: string): string => {
  let head = ''
  let tail = ''
  let group = -1
  let skipped = false
  for (let at = 0; at <= ip.length; at++) {
    if (at < ip.length && ip.charCodeAt(at) !== COLON) {
      group = (Math.max(group, 0) << 4) | digitAt(ip, at)
      continue
    }
    if (group >= 0) {
      if (skipped) tail += String.fromCharCode(swap(group))
      else head += String.fromCharCode(swap(group))
    }
    group = -1
    if (ip.charCodeAt(at + 1) === COLON) skipped = true
  }
  return skipped ? head + ZEROS.slice(head.length + tail.length) + tail : head
}

/** '' for no address. */
export const ipText = (ip: Ip | undefined): string => {
  if (ip === undefined) return ''
  return ip.includes(':') ? ipv6Text(ip) : textAt(ipBytes(ip), 0, 4)
}

/** The bits of character `i` that a prefix of `length` has. */
const maskAt = (i: number, length: number): number =>
  swap((0xffff0000 >> Math.max(0, Math.min(16, length - 16 * i))) & 0xffff)

/** Of a prefix, its host bits clear; '' for one of length 0, of which the kernel says no destination. */
export const prefixText = (c: Cidr): string => {
  const length = lengthOf(c)
  if (length === 0) return ''
  const text = ipText(addressOf(c))
  let masked = text.slice(0, length >> 4)
  for (let i = masked.length; i < text.length; i++)
    masked += String.fromCharCode(text.charCodeAt(i) & maskAt(i, length))
  return masked
}

const octetAt = (text: string, at: number): number => (digitAt(text, at) << 4) | digitAt(text, at + 1)

/** Of an address as canonical text, without its bytes in between: a third of the time. */
export const macText = (mac: Mac): string =>
  String.fromCharCode(
    octetAt(mac, 0) | (octetAt(mac, 3) << 8),
    octetAt(mac, 6) | (octetAt(mac, 9) << 8),
    octetAt(mac, 12) | (octetAt(mac, 15) << 8),
  )
