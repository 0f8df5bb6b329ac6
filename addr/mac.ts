/** Ethernet addresses as canonical text: lower case, colons. */
import { DecodeError, quote } from './error.ts'

declare const mac: unique symbol
export type Mac = string & { readonly [mac]: true }

const MAC = /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i

/** Six octets separated by `:` or `-`; undefined otherwise. */
export const readMac = (text: string): Mac | undefined =>
  MAC.test(text) ? (text.toLowerCase().replaceAll('-', ':') as Mac) : undefined

/** @throws DecodeError at `path` */
export const parseMac = (text: string, path = 'mac'): Mac => {
  const parsed = readMac(text)
  if (parsed === undefined)
    throw new DecodeError(path, `${quote(text)} is not an Ethernet address, such as "02:42:ac:11:00:02"`)
  return parsed
}

/** 6 bytes, as on the wire. */
export const macBytes = (address: Mac): Uint8Array =>
  Uint8Array.from(address.split(':'), (octet) => Number.parseInt(octet, 16))
export const macOf = (bytes: Uint8Array): Mac =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':') as Mac
/** `bytes` as an address that is unicast and locally administered (IEEE 802, the second bit set, the first clear). */
export const localMacOf = (bytes: Uint8Array): Mac =>
  macOf(Uint8Array.from(bytes.subarray(0, 6), (b, i) => (i === 0 ? (b & 0xfc) | 2 : b)))
