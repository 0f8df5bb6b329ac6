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
export const macBytes = (address: Mac): Uint8Array => hexBytes(address.replaceAll(':', ''))

/** The bytes of pairs of hex digits. */
export const hexBytes = (hex: string): Uint8Array => {
  const bytes = new Uint8Array(hex.length >> 1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

export const macOf = (bytes: Uint8Array): Mac => {
  let text = ''
  // by index: the iterator of typed arrays is slow at its first use, 0.17 ms
  for (let i = 0; i < bytes.length; i++) text += `${i === 0 ? '' : ':'}${hexOf(bytes[i] ?? 0)}`
  return text as Mac
}

const hexOf = (byte: number): string => (byte < 16 ? `0${byte.toString(16)}` : byte.toString(16))

/** The first six of `bytes` as an address that is unicast and locally administered (IEEE 802: the second bit set, the first
 *  clear). */
export const localMacOf = (bytes: Uint8Array): Mac => {
  const address = bytes.slice(0, 6)
  address[0] = ((address[0] ?? 0) & 0xfc) | 2
  return macOf(address)
}
