/** A table into the netlink messages that make it: table, sets, chains, rules, in the order that references need. */
import type { Message } from '../netlink/message.ts'
import { u32 } from '../netlink/message.ts'
import {
  delTable,
  type Hook as HookSpec,
  newChain,
  newRule,
  newSet,
  newTable,
  type SetSpec,
} from '../netlink/nftables.ts'
import { delElements, type ElementSpec, newElements } from '../netlink/nftables-element.ts'
import { counter } from '../netlink/nftables-opcode.ts'
import * as nf from '../netlink/nftables-uapi.ts'
import {
  commentUdata,
  encodeComment,
  encodeUdata,
  NFTNL_UDATA_SET_COMMENT,
  NFTNL_UDATA_SET_DATA_INTERVAL,
  NFTNL_UDATA_SET_DATA_TYPEOF,
  NFTNL_UDATA_SET_DATABYTEORDER,
  NFTNL_UDATA_SET_KEY_TYPEOF,
  NFTNL_UDATA_SET_KEYBYTEORDER,
  type Udata,
} from '../netlink/nftables-userdata.ts'
import { compileRule } from './compile.ts'
import { type DataType, lengthOfTypes, numberOfTypes, specOf } from './datatype.ts'
import { encodeElement } from './element.ts'
import type { Expr } from './expression.ts'
import { hookNumber, idOf } from './family.ts'
import type { BaseChain, Chain, Element, SetDecl, Table, TableFamily } from './ruleset.ts'
import { setOf } from './statement.ts'
import { concatTypeof, encodeTypeof } from './typeof.ts'

const commentOf = (comment: string | undefined): Uint8Array | undefined =>
  comment === undefined ? undefined : encodeComment(comment)

/** enum byteorder of nftables' datatype.h; 0 for a concatenation and for a single byte. */
const byteOrderOf = (types: readonly DataType[]): number => {
  const [type] = types
  if (type === undefined || types.length > 1 || specOf(type).bytes === 1) return 0
  return specOf(type).order === 'host' ? 1 : 2
}

/** What is known of a key's or of data's parts; nothing for a single one of a type. */
const typeofUdata = (type: number, types: SetDecl['data'], parts: readonly Expr[] | undefined): Udata | undefined => {
  if (parts !== undefined) return [type, encodeTypeof(parts)]
  return types !== undefined && types !== 'verdict' && types.length > 1 ? [type, concatTypeof()] : undefined
}

/** What stock `nft` keeps beside a set to print its types. */
const setUserdata = ({ key, data, comment, typeof: parts }: SetDecl): Uint8Array => {
  const dataOrder = data === undefined || data === 'verdict' ? 0 : byteOrderOf(data)
  const list: (Udata | undefined)[] = [
    [NFTNL_UDATA_SET_KEYBYTEORDER, u32(byteOrderOf(key))],
    data === undefined ? undefined : [NFTNL_UDATA_SET_DATABYTEORDER, u32(dataOrder)],
    typeofUdata(NFTNL_UDATA_SET_KEY_TYPEOF, key, parts?.key),
    typeofUdata(NFTNL_UDATA_SET_DATA_TYPEOF, data, parts?.data),
    data === undefined ? undefined : [NFTNL_UDATA_SET_DATA_INTERVAL, u32(0)],
    comment === undefined ? undefined : commentUdata(comment, NFTNL_UDATA_SET_COMMENT),
  ]
  return encodeUdata(list.filter((entry) => entry !== undefined))
}

const setFlags = (set: SetDecl): number =>
  (set.data === undefined ? 0 : nf.NFT_SET_MAP) |
  (set.interval === true ? nf.NFT_SET_INTERVAL | (set.key.length > 1 ? nf.NFT_SET_CONCAT : 0) : 0) |
  (set.timeout === undefined ? 0 : nf.NFT_SET_TIMEOUT) |
  (set.dynamic === true ? nf.NFT_SET_EVAL : 0)

/** A dynamic set must not grow without end: 65,535 unless it says otherwise, as in `nft`. */
export const sizeOf = (set: SetDecl): number | undefined => set.size ?? (set.dynamic === true ? 65_535 : undefined)

/** The set as the kernel is told of it. */
export const setSpec = (set: SetDecl): SetSpec => ({
  name: set.name,
  flags: setFlags(set),
  keyType: numberOfTypes(set.key),
  keyLength: lengthOfTypes(set.key),
  userdata: setUserdata(set),
  ...(set.data === undefined ? {} : dataSpec(set.data)),
  ...(set.interval === true && set.key.length > 1 ? { fields: set.key.map((type) => specOf(type).bytes) } : {}),
  size: sizeOf(set) ?? 0,
  ...(set.timeout === undefined || set.timeout === 0 ? {} : { timeout: BigInt(set.timeout * 1000) }),
  ...(set.counter === true ? { instruction: counter } : {}),
})

const dataSpec = (data: readonly DataType[] | 'verdict'): { dataType: number; dataLength: number } =>
  data === 'verdict'
    ? { dataType: nf.NFT_DATA_VERDICT, dataLength: 0 }
    : { dataType: numberOfTypes(data), dataLength: lengthOfTypes(data) }

/** Where a base chain is hooked, as numbers. */
export const hookSpec = (base: BaseChain, family: TableFamily): HookSpec => ({
  type: base.type,
  hook: hookNumber(base.hook, family),
  priority: base.priority,
  policy: base.policy === 'drop' ? nf.NF_DROP : nf.NF_ACCEPT,
  ...(base.device === undefined ? {} : { device: base.device }),
})

const chainMessage = (table: Table, { name, base, comment }: Chain): Message =>
  newChain(idOf(table), name, base === undefined ? undefined : hookSpec(base, table.family), commentOf(comment))

const ruleMessages = (table: Table, chain: Chain): readonly Message[] =>
  chain.rules.map((rule) => newRule(idOf(table), chain.name, compileRule(rule, table), commentOf(rule.comment)))

/** Creates the table with all of its sets, chains and rules. With `exclusive` it is refused (EEXIST, message 0) when there
 *  is a table of this name. @throws DecodeError as `compileRule` */
export const createTable = (table: Table, exclusive = false): Message[] => [
  newTable(idOf(table), commentOf(table.comment), exclusive),
  ...table.chains.map((chain) => chainMessage(table, chain)),
  ...table.sets.map((set, i) => newSet(idOf(table), setSpec(set), i + 1)),
  ...table.chains.flatMap((chain) => ruleMessages(table, chain)),
]

/** Deletes the table with everything in it. */
export const deleteTable = (table: Pick<Table, 'family' | 'name'>): Message => delTable(idOf(table))

/** Adds elements to one set; see `newElements` for `exclusive`. @throws DecodeError for a value of another type */
export const addElements = (table: Table, set: string, elements: readonly Element[], exclusive = false): Message[] =>
  newElements(idOf(table), set, elementSpecs(table, set, elements), exclusive)

/** Deletes elements of one set by their keys; ENOENT when one is not there. */
export const deleteElements = (table: Table, set: string, elements: readonly Element[]): Message[] =>
  delElements(
    idOf(table),
    set,
    elementSpecs(table, set, elements).map(({ data: _, comment: __, ...key }) => key),
  )

/** What the kernel stores for `elements` of a set. */
export const elementSpecs = (table: Table, set: string, elements: readonly Element[]): ElementSpec[] => {
  const decl = setOf(table, set)
  return elements.flatMap((element) => encodeElement(decl, element))
}
