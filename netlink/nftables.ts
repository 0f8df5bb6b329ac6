/** Requests that create and delete nftables' tables, chains, rules and sets. Names are of at most 255 bytes.
 *  linux/netfilter/nf_tables.h; net/netfilter/nf_tables_api.c. */
import { type Attr, be32, be64, type Message, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import { NFNL_SUBSYS_NFTABLES, nfMessage } from './nfnetlink.ts'
import { encodeInstruction, encodeInstructions, type Instruction } from './nftables-instruction.ts'
import * as nf from './nftables-uapi.ts'

/** A table: NFPROTO_* and its name. */
export interface TableId {
  readonly family: number
  readonly name: string
}

const request = (id: TableId, type: number, flags: number, attrs: readonly Attr[]): Message =>
  nfMessage(NFNL_SUBSYS_NFTABLES, type, flags, id.family, attrs)

const userdata = (type: number, bytes: Uint8Array | undefined): readonly Attr[] =>
  bytes === undefined || bytes.length === 0 ? [] : [[type, bytes]]

/** Creates a table; an existing one stays as it is, or with `exclusive` is refused with EEXIST. */
export const newTable = (id: TableId, udata?: Uint8Array, exclusive = false): Message =>
  request(id, nf.NFT_MSG_NEWTABLE, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), [
    [nf.NFTA_TABLE_NAME, id.name],
    [nf.NFTA_TABLE_FLAGS, be32(0)],
    ...userdata(nf.NFTA_TABLE_USERDATA, udata),
  ])

/** Deletes a table with all that is in it; ENOENT when there is none. */
export const delTable = (id: TableId): Message => request(id, nf.NFT_MSG_DELTABLE, 0, [[nf.NFTA_TABLE_NAME, id.name]])

/** Where a base chain is hooked; `hook` is NF_INET_*, NF_BR_* or NF_NETDEV_*, `policy` NF_ACCEPT or NF_DROP. */
export interface Hook {
  readonly type: string
  readonly hook: number
  readonly priority: number
  readonly policy: number
  readonly device?: string
}

const hookAttrs = ({ type, hook, priority, policy, device }: Hook): readonly Attr[] => [
  [nf.NFTA_CHAIN_TYPE, type],
  [nf.NFTA_CHAIN_POLICY, be32(policy)],
  [
    nf.NFTA_CHAIN_HOOK,
    [
      [nf.NFTA_HOOK_HOOKNUM, be32(hook)],
      [nf.NFTA_HOOK_PRIORITY, be32(priority)],
      ...(device === undefined ? [] : [[nf.NFTA_HOOK_DEV, device] as const]),
    ],
  ],
]

/** Creates a chain, a base chain when it has a `hook`; an existing one stays. */
export const newChain = (id: TableId, name: string, hook?: Hook, udata?: Uint8Array): Message =>
  request(id, nf.NFT_MSG_NEWCHAIN, NLM_F_CREATE, [
    [nf.NFTA_CHAIN_TABLE, id.name],
    [nf.NFTA_CHAIN_NAME, name],
    ...(hook === undefined ? [] : hookAttrs(hook)),
    ...userdata(nf.NFTA_CHAIN_USERDATA, udata),
  ])

/** Deletes a chain; its rules go with it, EBUSY while something jumps to it. */
export const delChain = (id: TableId, name: string): Message =>
  request(id, nf.NFT_MSG_DELCHAIN, 0, [
    [nf.NFTA_CHAIN_TABLE, id.name],
    [nf.NFTA_CHAIN_NAME, name],
  ])

/** Appends a rule to a chain. */
export const newRule = (
  id: TableId,
  chain: string,
  instructions: readonly Instruction[],
  udata?: Uint8Array,
): Message =>
  request(id, nf.NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [
    [nf.NFTA_RULE_TABLE, id.name],
    [nf.NFTA_RULE_CHAIN, chain],
    [nf.NFTA_RULE_EXPRESSIONS, encodeInstructions(instructions)],
    ...userdata(nf.NFTA_RULE_USERDATA, udata),
  ])

/** Deletes the rule with `handle`, or all rules of the chain. */
export const delRule = (id: TableId, chain: string, handle?: bigint): Message =>
  request(id, nf.NFT_MSG_DELRULE, 0, [
    [nf.NFTA_RULE_TABLE, id.name],
    [nf.NFTA_RULE_CHAIN, chain],
    ...(handle === undefined ? [] : [[nf.NFTA_RULE_HANDLE, be64(handle)] as const]),
  ])

/** A set or map as the kernel knows it. Types are numbers of nft's datatypes, six bits to each part of a concatenation;
 *  lengths are bytes, those of `fields` the parts of an interval key. */
export interface SetSpec {
  readonly name: string
  readonly flags: number
  readonly keyType: number
  readonly keyLength: number
  readonly dataType?: number
  readonly dataLength?: number
  readonly fields?: readonly number[]
  /** Most elements; 0 or absent: no limit. */
  readonly size?: number
  /** Milliseconds that an element lives unless it says otherwise. */
  readonly timeout?: bigint
  /** What each element carries, a counter for example. */
  readonly instruction?: Instruction
  readonly userdata?: Uint8Array
}

const fieldAttrs = (fields: readonly number[]): readonly Attr[] =>
  fields.map((length): Attr => [nf.NFTA_LIST_ELEM, [[nf.NFTA_SET_FIELD_LEN, be32(length)]]])

const descOf = ({ size = 0, fields = [] }: SetSpec): readonly Attr[] => {
  const attrs: readonly Attr[] = [
    ...(size === 0 ? [] : [[nf.NFTA_SET_DESC_SIZE, be32(size)] as const]),
    ...(fields.length === 0 ? [] : [[nf.NFTA_SET_DESC_CONCAT, fieldAttrs(fields)] as const]),
  ]
  return attrs.length === 0 ? [] : [[nf.NFTA_SET_DESC, attrs]]
}

/** Creates a set; an existing one of the same kind stays. `id` is unique in the batch. */
export const newSet = (table: TableId, spec: SetSpec, id: number): Message =>
  request(table, nf.NFT_MSG_NEWSET, NLM_F_CREATE, [
    [nf.NFTA_SET_TABLE, table.name],
    [nf.NFTA_SET_NAME, spec.name],
    [nf.NFTA_SET_FLAGS, be32(spec.flags)],
    [nf.NFTA_SET_KEY_TYPE, be32(spec.keyType)],
    [nf.NFTA_SET_KEY_LEN, be32(spec.keyLength)],
    ...(spec.dataType === undefined
      ? []
      : ([
          [nf.NFTA_SET_DATA_TYPE, be32(spec.dataType)],
          [nf.NFTA_SET_DATA_LEN, be32(spec.dataLength ?? 0)],
        ] as const)),
    [nf.NFTA_SET_ID, be32(id)],
    ...descOf(spec),
    ...(spec.timeout === undefined ? [] : [[nf.NFTA_SET_TIMEOUT, be64(spec.timeout)] as const]),
    ...userdata(nf.NFTA_SET_USERDATA, spec.userdata),
    ...(spec.instruction === undefined ? [] : [[nf.NFTA_SET_EXPR, encodeInstruction(spec.instruction)] as const]),
  ])

export const delSet = (table: TableId, name: string): Message =>
  request(table, nf.NFT_MSG_DELSET, 0, [
    [nf.NFTA_SET_TABLE, table.name],
    [nf.NFTA_SET_NAME, name],
  ])
