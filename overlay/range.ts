/** Prefixes as numbers: for what is compared with thousands of addresses, each of which is read once. */
import { addressOf, type Cidr, cidrFamily, lengthOf } from '../addr/cidr.ts'
import { type Family, familyOf, type Ip, ipNumber, widthOf } from '../addr/ip.ts'

/** Both ends included. */
export interface Range {
  readonly family: Family
  readonly first: bigint
  readonly last: bigint
}

/** Reads the address once: text to number is what costs. */
export const rangeOf = (prefix: Cidr): Range => {
  const family = cidrFamily(prefix)
  const hostBits = BigInt(widthOf(family) - lengthOf(prefix))
  const first = (ipNumber(addressOf(prefix)) >> hostBits) << hostBits
  return { family, first, last: first + (1n << hostBits) - 1n }
}

export const addressRange = (address: Ip): Range => {
  const number = ipNumber(address)
  return { family: familyOf(address), first: number, last: number }
}

export const meets = (a: Range, b: Range): boolean => a.family === b.family && a.first <= b.last && b.first <= a.last

/** Whether all of `inner` is in `outer`. */
export const covers = (outer: Range, inner: Range): boolean =>
  outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last
