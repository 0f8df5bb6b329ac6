/** Elements of sets and maps into what the kernel stores. */

import { DecodeError, quote } from '../addr/error.ts'
import type { ElementSpec, VerdictData } from '../netlink/nftables-element.ts'
import * as nf from '../netlink/nftables-uapi.ts'
import { verdictData } from './compile.ts'
import { type DataType, specOf } from './datatype.ts'
import type { Element, SetDecl, Verdict } from './ruleset.ts'
import { boundsOf, concatFields, encodeScalar, type Field, type Scalar } from './value.ts'

/** In sets of intervals numbers are stored in network order. */
const encodePart = (set: SetDecl, type: DataType, value: Scalar): Uint8Array => {
  const bytes = encodeScalar(type, value)
  const { order, form } = specOf(type)
  return set.interval === true && order === 'host' && form === 'number' ? bytes.toReversed() : bytes
}

const checkCount = (what: string, fields: readonly Field[], types: readonly DataType[]): void => {
  if (fields.length !== types.length)
    throw new DecodeError(what, `${quote(fields)} has ${fields.length} parts, its set ${types.join(' . ')}`)
}

const endOf = (type: DataType, field: Field, end: 0 | 1): Scalar =>
  typeof field === 'number' ? field : boundsOf(type, field)[end]

const encodeEnd = (set: SetDecl, key: readonly Field[], end: 0 | 1): Uint8Array =>
  concatFields(set.key.map((type, i) => encodePart(set, type, endOf(type, key[i] ?? '', end))))

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
  const key = encodeEnd(set, element.key, 0)
  const data = encodeData(set, element.data)
  const { comment, timeout } = element
  const first: ElementSpec = {
    key,
    ...(data === undefined ? {} : { data }),
    ...(timeout === undefined ? {} : { timeout: BigInt(timeout * 1000) }),
    ...(comment === undefined ? {} : { comment }),
  }
  if (set.interval !== true) return [first]
  const last = encodeEnd(set, element.key, 1)
  if (set.key.length > 1) return [{ ...first, keyEnd: last }]
  const end = successor(last)
  return end === undefined ? [first] : [first, { key: end, flags: nf.NFT_SET_ELEM_INTERVAL_END }]
}
