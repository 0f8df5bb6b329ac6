/** Elements of sets and maps into what the kernel stores. */

import { DecodeError, quote } from '../addr/error.ts'
import type { ElementSpec, VerdictData } from '../netlink/nftables-element.ts'
import * as nf from '../netlink/nftables-uapi.ts'
import { verdictData } from './compile.ts'
import { type DataType, specOf } from './datatype.ts'
import type { Element, SetDecl, Verdict } from './ruleset.ts'
import { concatFields, encodeBounds, encodeScalar, type Field, isRange, type Scalar } from './value.ts'

/** In sets of intervals numbers are stored in network order. */
const stored = (type: DataType, bytes: Uint8Array): Uint8Array => {
  const { order, form } = specOf(type)
  return order === 'host' && form === 'number' ? bytes.toReversed() : bytes
}

const checkCount = (what: string, fields: readonly Field[], types: readonly DataType[]): void => {
  if (fields.length !== types.length)
    throw new DecodeError(what, `${quote(fields)} has ${fields.length} parts, its set ${types.join(' . ')}`)
}

const single = (type: DataType, field: Field): Uint8Array => {
  if (!isRange(field)) return encodeScalar(type, field)
  throw new DecodeError(type, `${quote(field)} is a range, and the set does not hold intervals`)
}

/** Bytes of the first and of the last key; the same in a set that does not hold intervals. */
const encodeKeys = (set: SetDecl, key: readonly Field[]): readonly [first: Uint8Array, last: Uint8Array] => {
  if (set.interval !== true) {
    const only = concatFields(set.key.map((type, i) => single(type, key[i] ?? '')))
    return [only, only]
  }
  const bounds = set.key.map((type, i) => encodeBounds(type, key[i] ?? '').map((bytes) => stored(type, bytes)))
  const end = (at: 0 | 1): Uint8Array => concatFields(bounds.map((pair) => pair[at] ?? new Uint8Array(0)))
  return [end(0), end(1)]
}

const isVerdict = (data: readonly Scalar[] | Verdict): data is Verdict => 'kind' in data

const encodeData = (set: SetDecl, data: Element['data']): Uint8Array | VerdictData | undefined => {
  if (data === undefined) return undefined
  if (isVerdict(data)) return verdictData(data)
  const types = set.data === 'verdict' ? [] : (set.data ?? [])
  checkCount(set.name, data, types)
  return concatFields(types.map((type, i) => encodeScalar(type, data[i] ?? '')))
}

/** The key one above `key`: where an interval of a single field ends, exclusive. Undefined after the last. */
const successor = (key: Uint8Array): Uint8Array | undefined => {
  const next = key.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] ?? 0) + 1) & 0xff
    if (next[i] !== 0) return next
  }
  return undefined
}

/** What the kernel stores for `element`: one entry; for an interval of a single field two, its first key and the one behind
 *  its last. @throws DecodeError for a key or data that are not of the set's types */
export const encodeElement = (set: SetDecl, element: Element): ElementSpec[] => {
  checkCount(set.name, element.key, set.key)
  const [key, last] = encodeKeys(set, element.key)
  const data = encodeData(set, element.data)
  const { comment, timeout } = element
  const first: ElementSpec = {
    key,
    ...(data === undefined ? {} : { data }),
    ...(timeout === undefined ? {} : { timeout: BigInt(timeout * 1000) }),
    ...(comment === undefined ? {} : { comment }),
  }
  if (set.interval !== true) return [first]
  if (set.key.length > 1) return [{ ...first, keyEnd: last }]
  const end = successor(last)
  return end === undefined ? [first] : [first, { key: end, flags: nf.NFT_SET_ELEM_INTERVAL_END }]
}
