/** One function for each instruction we use: its arguments are registers (NFT_REG_*), numbers in host order and values as
 *  bytes. Attributes are those of linux/netfilter/nf_tables.h, in the order in which libnftnl writes them. */
import { type Attr, be16, be32, be64, u8 } from './message.ts'
import type { Instruction } from './nftables-instruction.ts'
import {
  NFT_REG_VERDICT,
  NFTA_DATA_VALUE,
  NFTA_DATA_VERDICT,
  NFTA_VERDICT_CHAIN,
  NFTA_VERDICT_CODE,
} from './nftables-uapi.ts'

const NFT_FIB_DREG = 1
const instruction = (name: string, ...attrs: readonly (Attr | undefined)[]): Instruction => ({
  name,
  attrs: attrs.filter((attr) => attr !== undefined),
})
/** An attribute that is left out when it is 0. */
const unlessZero = (type: number, value: number): Attr | undefined => (value === 0 ? undefined : [type, be32(value)])
const dataValue = (type: number, value: Uint8Array): Attr => [type, [[NFTA_DATA_VALUE, value]]]

export const loadMeta = (key: number, reg: number): Instruction =>
  instruction('meta', [2 /* NFTA_META_KEY */, be32(key)], [1 /* NFTA_META_DREG */, be32(reg)])
export const setMeta = (key: number, reg: number): Instruction =>
  instruction('meta', [2 /* NFTA_META_KEY */, be32(key)], [3 /* NFTA_META_SREG */, be32(reg)])

/** `direction` is IP_CT_DIR_*. */
export const loadCt = (key: number, reg: number, direction?: number): Instruction =>
  instruction(
    'ct',
    [2 /* NFTA_CT_KEY */, be32(key)],
    [1 /* NFTA_CT_DREG */, be32(reg)],
    direction === undefined ? undefined : [3 /* NFTA_CT_DIRECTION */, u8(direction)],
  )
export const setCt = (key: number, reg: number): Instruction =>
  instruction('ct', [2 /* NFTA_CT_KEY */, be32(key)], [4 /* NFTA_CT_SREG */, be32(reg)])

/** `base` is NFT_PAYLOAD_*_HEADER; offset and length are bytes. */
export const loadPayload = (base: number, offset: number, length: number, reg: number): Instruction =>
  instruction('payload', [1, be32(reg)], [2, be32(base)], [3, be32(offset)], [4, be32(length)])

export const loadFib = (flags: number, result: number, reg: number): Instruction =>
  instruction('fib', [3 /* FLAGS */, be32(flags)], [2 /* RESULT */, be32(result)], [NFT_FIB_DREG, be32(reg)])

/** `type` is NFT_NG_*. */
export const loadNumgen = (type: number, modulus: number, offset: number, reg: number): Instruction =>
  instruction('numgen', [1, be32(reg)], [2, be32(modulus)], [3, be32(type)], [4, be32(offset)])

/** Jenkins' hash of `length` bytes from `source`. */
export const loadJhash = (
  source: number,
  length: number,
  modulus: number,
  seed: number,
  offset: number,
  reg: number,
): Instruction =>
  instruction(
    'hash',
    [1 /* NFTA_HASH_SREG */, be32(source)],
    [2 /* NFTA_HASH_DREG */, be32(reg)],
    [3 /* NFTA_HASH_LEN */, be32(length)],
    [4 /* NFTA_HASH_MODULUS */, be32(modulus)],
    [5 /* NFTA_HASH_SEED */, be32(seed)],
    unlessZero(6 /* NFTA_HASH_OFFSET */, offset),
    [7 /* NFTA_HASH_TYPE */, be32(0)],
  )
export const loadSymhash = (modulus: number, offset: number, reg: number): Instruction =>
  instruction('hash', [2, be32(reg)], [4, be32(modulus)], [6, be32(offset)], [7, be32(1 /* NFT_HASH_SYM */)])

export const loadValue = (reg: number, value: Uint8Array): Instruction =>
  instruction('immediate', [1, be32(reg)], dataValue(2, value))

/** `code` is NF_* or NFT_*. */
export const verdict = (code: number, chain?: string): Instruction =>
  instruction(
    'immediate',
    [1, be32(NFT_REG_VERDICT)],
    [
      2,
      [
        [
          NFTA_DATA_VERDICT,
          [[NFTA_VERDICT_CODE, be32(code)], ...(chain === undefined ? [] : [[NFTA_VERDICT_CHAIN, chain] as const])],
        ],
      ],
    ],
  )

/** `reg = (reg & mask) ^ xor`; both as wide as the value. With `named` the operation stands in it, as `nft` sends what was
 *  written as an operation and not as a comparison of bits. */
export const bitwise = (reg: number, mask: Uint8Array, xor: Uint8Array, named = false): Instruction =>
  instruction(
    'bitwise',
    [1 /* NFTA_BITWISE_SREG */, be32(reg)],
    [2 /* NFTA_BITWISE_DREG */, be32(reg)],
    named ? [6 /* NFTA_BITWISE_OP */, be32(0 /* NFT_BITWISE_MASK_XOR */)] : undefined,
    [3 /* NFTA_BITWISE_LEN */, be32(mask.length)],
    dataValue(4 /* NFTA_BITWISE_MASK */, mask),
    dataValue(5 /* NFTA_BITWISE_XOR */, xor),
  )

/** Turns a value of `length` bytes from host into network order. */
export const toNetworkOrder = (reg: number, length: number): Instruction =>
  instruction(
    'byteorder',
    [1, be32(reg)],
    [2, be32(reg)],
    [3, be32(1 /* NFT_BYTEORDER_HTON */)],
    [4, be32(length)],
    [5, be32(length)],
  )

export const NFT_CMP_EQ = 0
export const NFT_CMP_NEQ = 1
export const NFT_CMP_LT = 2
export const NFT_CMP_LTE = 3
export const NFT_CMP_GT = 4
export const NFT_CMP_GTE = 5
export const cmp = (reg: number, op: number, value: Uint8Array): Instruction =>
  instruction('cmp', [1, be32(reg)], [2, be32(op)], dataValue(3, value))

/** Holds when the value is outside `from` to `to`. */
export const outsideRange = (reg: number, from: Uint8Array, to: Uint8Array): Instruction =>
  instruction('range', [1, be32(reg)], [2, be32(1 /* NFT_RANGE_NEQ */)], dataValue(3, from), dataValue(4, to))

/** `target` is the register for a map's data or verdict; absent for a set. */
export const lookup = (set: string, source: number, target?: number, inverted = false): Instruction =>
  instruction(
    'lookup',
    [2 /* NFTA_LOOKUP_SREG */, be32(source)],
    target === undefined ? undefined : [3 /* NFTA_LOOKUP_DREG */, be32(target)],
    [1 /* NFTA_LOOKUP_SET */, set],
    unlessZero(5 /* NFTA_LOOKUP_FLAGS */, inverted ? 1 : 0),
  )

/** `op` is NFT_DYNSET_OP_*; `timeout` in milliseconds. */
export const dynset = (op: number, set: string, key: number, data?: number, timeout?: bigint): Instruction =>
  instruction(
    'dynset',
    [4 /* NFTA_DYNSET_SREG_KEY */, be32(key)],
    data === undefined ? undefined : [5 /* NFTA_DYNSET_SREG_DATA */, be32(data)],
    [3 /* NFTA_DYNSET_OP */, be32(op)],
    timeout === undefined ? undefined : [6 /* NFTA_DYNSET_TIMEOUT */, be64(timeout)],
    [1 /* NFTA_DYNSET_SET_NAME */, set],
  )

/** `type` is NFT_NAT_*, `family` NFPROTO_*, `flags` NF_NAT_RANGE_*. */
export const nat = (
  type: number,
  family: number,
  address: number | undefined,
  port: number | undefined,
  flags: number,
): Instruction =>
  instruction(
    'nat',
    [1 /* NFTA_NAT_TYPE */, be32(type)],
    [2 /* NFTA_NAT_FAMILY */, be32(family)],
    address === undefined ? undefined : [3 /* NFTA_NAT_REG_ADDR_MIN */, be32(address)],
    port === undefined ? undefined : [5 /* NFTA_NAT_REG_PROTO_MIN */, be32(port)],
    unlessZero(7 /* NFTA_NAT_FLAGS */, flags),
  )

export const masq = (flags: number): Instruction => instruction('masq', unlessZero(1 /* NFTA_MASQ_FLAGS */, flags))
export const redir = (port: number | undefined, flags: number): Instruction =>
  instruction(
    'redir',
    port === undefined ? undefined : [1 /* NFTA_REDIR_REG_PROTO_MIN */, be32(port)],
    unlessZero(3 /* NFTA_REDIR_FLAGS */, flags),
  )

/** `type` is NFT_REJECT_*; `code` of ICMPX or ICMP. */
export const reject = (type: number, code?: number): Instruction =>
  instruction('reject', [1, be32(type)], code === undefined ? undefined : [2, u8(code)])

export const counter: Instruction = { name: 'counter', attrs: [] }
export const notrack: Instruction = { name: 'notrack', attrs: [] }

export const log = (prefix?: string, group?: number): Instruction =>
  instruction(
    'log',
    prefix === undefined ? undefined : [2 /* NFTA_LOG_PREFIX */, prefix],
    group === undefined ? undefined : [1 /* NFTA_LOG_GROUP */, be16(group)],
  )

/** `rate` packets in `unit` seconds. */
export const limit = (rate: bigint, unit: bigint, burst: number, over: boolean): Instruction =>
  instruction('limit', [1, be64(rate)], [2, be64(unit)], [3, be32(burst)], [4, be32(0)], [5, be32(over ? 1 : 0)])

/** `flags` is NFT_QUEUE_FLAG_*. */
export const queue = (from: number, total: number, flags: number): Instruction =>
  instruction('queue', [1, be16(from)], [2, be16(total)], flags === 0 ? undefined : [3, be16(flags)])
