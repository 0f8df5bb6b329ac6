/** Reading nftables back: the generation, and tables, chains, rules and sets as the kernel lists them.
 *  linux/netfilter/nf_tables.h */
import {
  type Attr,
  type Attrs,
  decodeAttrList,
  decodeAttrs,
  type Message,
  NLM_F_DUMP,
  type Received,
  readBe32,
  readBe64,
  readText,
} from './message.ts'
import { NFGENMSG_SIZE, NFNL_SUBSYS_NFTABLES, NFPROTO_UNSPEC, nfMessage } from './nfnetlink.ts'
import type { Hook, SetSpec, TableId } from './nftables.ts'
import { decodeInstructions, type Instruction } from './nftables-instruction.ts'
import * as nf from './nftables-uapi.ts'
import type { NetlinkSocket } from './socket.ts'

export interface TableDump extends TableId {
  readonly userdata: Uint8Array
  /** Its chains are hooked nowhere. */
  readonly dormant: boolean
}

export interface ChainDump {
  readonly table: string
  readonly name: string
  /** Of a base chain. */
  readonly hook?: Hook
  readonly userdata: Uint8Array
}

export interface RuleDump {
  readonly chain: string
  readonly handle: bigint
  /** Decoded when they are asked for. */
  readonly instructions: readonly Instruction[]
  readonly userdata: Uint8Array
}

export const nftRequest = (family: number, type: number, flags: number, attrs: readonly Attr[]): Message =>
  nfMessage(NFNL_SUBSYS_NFTABLES, type, flags, family, attrs)

/** The attributes behind nfgenmsg. */
export const nftAttrs = ({ body }: Received): Attrs => decodeAttrs(body.subarray(NFGENMSG_SIZE))

const NONE = new Uint8Array(0)

/** Asks for the generation; `decodeGeneration` reads the answer. */
export const getGeneration: Message = nftRequest(NFPROTO_UNSPEC, nf.NFT_MSG_GETGEN, 0, [])
export const decodeGeneration = (messages: readonly Received[]): number =>
  messages[0] === undefined ? 0 : readBe32(nftAttrs(messages[0]).get(nf.NFTA_GEN_ID))

/** The generation of the ruleset: every transaction in the namespace makes a new one. @throws NetlinkError */
export const readGeneration = (socket: NetlinkSocket): number =>
  decodeGeneration(socket.request('nft list generation', getGeneration))

/** Asks for one table; ENOENT when there is none. */
export const getTable = (id: TableId): Message =>
  nftRequest(id.family, nf.NFT_MSG_GETTABLE, 0, [[nf.NFTA_TABLE_NAME, id.name]])

export const decodeTable = (received: Received): TableDump => {
  const attrs = nftAttrs(received)
  const userdata = attrs.get(nf.NFTA_TABLE_USERDATA) ?? NONE
  const flags = attrs.get(nf.NFTA_TABLE_FLAGS)
  const dormant = flags !== undefined && (readBe32(flags) & nf.NFT_TABLE_F_DORMANT) !== 0
  return { family: received.body[0] ?? 0, name: readText(attrs.get(nf.NFTA_TABLE_NAME)), userdata, dormant }
}

/** Tables of a family. @throws NetlinkError */
export const dumpTables = (socket: NetlinkSocket, family: number): TableDump[] =>
  socket.request('nft list tables', nftRequest(family, nf.NFT_MSG_GETTABLE, NLM_F_DUMP, [])).map(decodeTable)

const decodeHook = (attrs: Attrs): Hook | undefined => {
  const bytes = attrs.get(nf.NFTA_CHAIN_HOOK)
  if (bytes === undefined) return undefined
  const hook = decodeAttrs(bytes)
  const device = hook.get(nf.NFTA_HOOK_DEV)
  return {
    type: readText(attrs.get(nf.NFTA_CHAIN_TYPE)),
    hook: readBe32(hook.get(nf.NFTA_HOOK_HOOKNUM)),
    priority: readBe32(hook.get(nf.NFTA_HOOK_PRIORITY)) | 0,
    policy: readBe32(attrs.get(nf.NFTA_CHAIN_POLICY)),
    ...(device === undefined ? {} : { device: readText(device) }),
  }
}

const decodeChain = (received: Received): ChainDump => {
  const attrs = nftAttrs(received)
  const hook = decodeHook(attrs)
  return {
    table: readText(attrs.get(nf.NFTA_CHAIN_TABLE)),
    name: readText(attrs.get(nf.NFTA_CHAIN_NAME)),
    userdata: attrs.get(nf.NFTA_CHAIN_USERDATA) ?? NONE,
    ...(hook === undefined ? {} : { hook }),
  }
}

/** Chains of one table, in its order; the kernel can only list a whole family. @throws NetlinkError */
export const dumpChains = (socket: NetlinkSocket, id: TableId): ChainDump[] =>
  socket
    .request(`nft list chains ${id.name}`, nftRequest(id.family, nf.NFT_MSG_GETCHAIN, NLM_F_DUMP, []))
    .map(decodeChain)
    .filter((chain) => chain.table === id.name)

const decodeRule = (received: Received): RuleDump => {
  const attrs = nftAttrs(received)
  return {
    chain: readText(attrs.get(nf.NFTA_RULE_CHAIN)),
    handle: readBe64(attrs.get(nf.NFTA_RULE_HANDLE)),
    get instructions() {
      return decodeInstructions(attrs.get(nf.NFTA_RULE_EXPRESSIONS) ?? NONE)
    },
    userdata: attrs.get(nf.NFTA_RULE_USERDATA) ?? NONE,
  }
}

/** Rules of a table, or of one of its chains, in order; none when there is no such table. @throws NetlinkError */
export const dumpRules = (socket: NetlinkSocket, id: TableId, chain?: string): RuleDump[] =>
  socket
    .request(
      `nft list table ${id.name}`,
      nftRequest(id.family, nf.NFT_MSG_GETRULE, NLM_F_DUMP, [
        [nf.NFTA_RULE_TABLE, id.name],
        ...(chain === undefined ? [] : [[nf.NFTA_RULE_CHAIN, chain] as const]),
      ]),
    )
    .map(decodeRule)

const decodeFields = (desc: Uint8Array | undefined): number[] =>
  decodeAttrList(decodeAttrs(desc ?? NONE).get(nf.NFTA_SET_DESC_CONCAT) ?? NONE).map(([, field]) =>
    readBe32(decodeAttrs(field).get(nf.NFTA_SET_FIELD_LEN)),
  )

const decodeSet = (received: Received): SetSpec => {
  const attrs = nftAttrs(received)
  const isMap = (readBe32(attrs.get(nf.NFTA_SET_FLAGS)) & nf.NFT_SET_MAP) !== 0
  return {
    name: readText(attrs.get(nf.NFTA_SET_NAME)),
    flags: readBe32(attrs.get(nf.NFTA_SET_FLAGS)),
    keyType: readBe32(attrs.get(nf.NFTA_SET_KEY_TYPE)),
    keyLength: readBe32(attrs.get(nf.NFTA_SET_KEY_LEN)),
    fields: decodeFields(attrs.get(nf.NFTA_SET_DESC)),
    userdata: attrs.get(nf.NFTA_SET_USERDATA) ?? NONE,
    ...(isMap
      ? { dataType: readBe32(attrs.get(nf.NFTA_SET_DATA_TYPE)), dataLength: readBe32(attrs.get(nf.NFTA_SET_DATA_LEN)) }
      : {}),
  }
}

/** Sets and maps of a table. @throws NetlinkError (ENOENT when there is no such table) */
export const dumpSets = (socket: NetlinkSocket, id: TableId): SetSpec[] =>
  socket
    .request(
      `nft list sets ${id.name}`,
      nftRequest(id.family, nf.NFT_MSG_GETSET, NLM_F_DUMP, [[nf.NFTA_SET_TABLE, id.name]]),
    )
    .map(decodeSet)
