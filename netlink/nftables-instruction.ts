/** The instructions of nftables' virtual machine, which the kernel calls expressions: a name, and attributes whose meaning
 *  the name decides. A rule is a list of them. net/netfilter/nft_*.c. */
import { type Attr, type AttrValue, ascii, concat, decodeAttrList, readText, u8, u32 } from './message.ts'
import { NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_LIST_ELEM } from './nftables-uapi.ts'

export interface Instruction {
  readonly name: string
  readonly attrs: readonly Attr[]
}

/** The one that knows no attributes at all. */
const BARE = 'notrack'

export const encodeInstruction = ({ name, attrs }: Instruction): AttrValue => [
  [NFTA_EXPR_NAME, name],
  ...(name === BARE ? [] : [[NFTA_EXPR_DATA, attrs] as const]),
]

/** The value of NFTA_RULE_EXPRESSIONS. */
export const encodeInstructions = (list: readonly Instruction[]): AttrValue =>
  list.map((instruction): Attr => [NFTA_LIST_ELEM, encodeInstruction(instruction)])

/** Attributes that hold attributes; the rest are plain. Names of instruction and attribute as in nf_tables.h. */
const NESTED: Readonly<Record<string, readonly number[]>> = {
  immediate: [2], // NFTA_IMMEDIATE_DATA
  cmp: [3], // NFTA_CMP_DATA
  range: [3, 4], // NFTA_RANGE_FROM_DATA, NFTA_RANGE_TO_DATA
  bitwise: [4, 5, 7], // NFTA_BITWISE_MASK, NFTA_BITWISE_XOR, NFTA_BITWISE_DATA
}
/** NFTA_DATA_VERDICT inside NFTA_*_DATA. */
const VERDICT = 2

const decodeData = (bytes: Uint8Array): AttrValue =>
  decodeAttrList(bytes).map(([type, value]): Attr => [type, type === VERDICT ? decodeAttrList(value) : value])

const decodeInstruction = (bytes: Uint8Array): Instruction => {
  const list = decodeAttrList(bytes)
  const name = readText(list.find(([type]) => type === NFTA_EXPR_NAME)?.[1])
  const attrs = decodeAttrList(list.find(([type]) => type === NFTA_EXPR_DATA)?.[1] ?? new Uint8Array(0))
  return { name, attrs: attrs.map(([type, value]) => [type, NESTED[name]?.includes(type) ? decodeData(value) : value]) }
}

/** The instructions in NFTA_RULE_EXPRESSIONS. */
export const decodeInstructions = (bytes: Uint8Array): Instruction[] =>
  decodeAttrList(bytes).map(([, value]) => decodeInstruction(value))

/** Attributes that count packets or that only the sender sets: they say nothing about what an instruction does. */
const IRRELEVANT: Readonly<Record<string, readonly number[]>> = {
  counter: [1, 2], // NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS
  lookup: [4], // NFTA_LOOKUP_SET_ID
  dynset: [2], // NFTA_DYNSET_SET_ID
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

/** Bytes of a value, flags of nested attributes left out, so that ours and the kernel's compare. */
const plain = (value: AttrValue): Uint8Array => {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') return ascii(`${value}\0`)
  if (typeof value === 'number') return u32(value)
  return concat(...value.map(([type, inner]) => concat(u8(type), plain(inner))))
}

/** NFTA_LOG_LEVEL, and the level that is meant when none is sent. */
const LOG_LEVEL = 5
const WARNING = 4

/** An instruction as it was sent. Of NAT the kernel dumps the end of a range that was not given as its beginning, and sets
 *  NF_NAT_RANGE_MAP_IPS and NF_NAT_RANGE_PROTO_SPECIFIED itself; of log, the default level. */
const asSent = (name: string, parts: readonly [number, Uint8Array][]): readonly [number, Uint8Array][] => {
  if (name === 'redir') return parts.filter(([type]) => type === 1 || type === 3).map(withoutImplied(3))
  if (name === 'log') return parts.filter(([type, value]) => type !== LOG_LEVEL || value[3] !== WARNING)
  if (name !== 'nat') return parts
  return parts.filter(([type]) => type !== 4 && type !== 6).map(withoutImplied(7))
}
const IMPLIED = 0b11
const withoutImplied =
  (flags: number) =>
  ([type, value]: [number, Uint8Array]): [number, Uint8Array] =>
    type === flags ? [type, value.map((byte, i) => (i === 3 ? byte & ~IMPLIED : byte))] : [type, value]

/** Text equal for instructions that do the same, whoever wrote them: the kernel dumps defaults that were not sent, in
 *  another order. */
export const fingerprintOf = ({ name, attrs }: Instruction): string => {
  const parts = attrs
    .filter(([type]) => !IRRELEVANT[name]?.includes(type))
    .map(([type, value]): [number, Uint8Array] => [type, plain(value)])
  const sent = asSent(name, parts)
    .filter(([, value]) => !isZero(value))
    .sort(([a], [b]) => a - b)
  return `${name} ${sent.map(([type, value]) => `${type}=${value}`).join(' ')}`
}
