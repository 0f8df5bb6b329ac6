/** Comparisons into instructions. */

import { type Cidr, firstOf, lengthOf } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { ipBytes } from '../addr/ip.ts'
import type { Instruction } from '../netlink/nftables-instruction.ts'
import {
  bitwise,
  cmp,
  loadPayload,
  NFT_CMP_EQ,
  NFT_CMP_GT,
  NFT_CMP_GTE,
  NFT_CMP_LT,
  NFT_CMP_LTE,
  NFT_CMP_NEQ,
  outsideRange,
  toNetworkOrder,
} from '../netlink/nftables-opcode.ts'
import { type DataType, specOf } from './datatype.ts'
import { type Expr, PAYLOAD } from './expression.ts'
import { load, registerAt, typesOf } from './load.ts'
import type { Comparison, Statement, Table } from './ruleset.ts'
import { encodeScalar, isPrefix, isRange, numberOf, type Range, type Scalar } from './value.ts'

type Match = Statement & { kind: 'match' }

const OPS: Readonly<Record<Comparison, number>> = {
  '==': NFT_CMP_EQ,
  '!=': NFT_CMP_NEQ,
  '<': NFT_CMP_LT,
  '<=': NFT_CMP_LTE,
  '>': NFT_CMP_GT,
  '>=': NFT_CMP_GTE,
}
const REG = registerAt(0)

const isFlags = (right: Match['right']): right is readonly string[] => Array.isArray(right)

/** Names of bits as one number. @throws DecodeError */
export const bitsOf = (type: DataType, names: readonly string[]): number =>
  names.reduce((bits, name) => bits | numberOf(type, name), 0)

/** Any of `bits` is set. */
const anyBit = (type: DataType, bits: number): Instruction[] => {
  const zero = encodeScalar(type, 0)
  return [bitwise(REG, encodeScalar(type, bits), zero), cmp(REG, NFT_CMP_NEQ, zero)]
}

/** A value whose order matters: bytes that compare as numbers do, and what turns the register round for it. */
const ordered = (type: DataType): { turn: Instruction[]; bytes: (value: Scalar) => Uint8Array } => {
  const { order, bytes, form } = specOf(type)
  if (order === 'big' || form !== 'number' || bytes === 1) return { turn: [], bytes: (v) => encodeScalar(type, v) }
  return { turn: [toNetworkOrder(REG, bytes)], bytes: (v) => encodeScalar(type, v).toReversed() }
}

const range = (type: DataType, op: Comparison, { from, to }: Range): Instruction[] => {
  const { turn, bytes } = ordered(type)
  if (op === '!=') return [...turn, outsideRange(REG, bytes(from), bytes(to))]
  return [...turn, cmp(REG, NFT_CMP_GTE, bytes(from)), cmp(REG, NFT_CMP_LTE, bytes(to))]
}

/** Compares the first bytes of the value. */
const leading = (left: Expr, table: Table, op: Comparison, value: Uint8Array): Instruction[] => {
  if (left.kind !== 'payload') return [...load(left, table, 0), cmp(REG, OPS[op], value)]
  const { base, offset } = PAYLOAD[left.field]
  return [loadPayload(base, offset, value.length, REG), cmp(REG, OPS[op], value)]
}

const maskBytes = (length: number, width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, i) => (0xff00 >> Math.max(0, Math.min(8, length - 8 * i))) & 0xff)

/** A prefix: its whole bytes compared, or with a mask when it ends inside one. */
const prefix = (left: Expr, table: Table, op: Comparison, cidr: Cidr): Instruction[] => {
  const network = ipBytes(firstOf(cidr))
  const length = lengthOf(cidr)
  if (length % 8 === 0 && length > 0) return leading(left, table, op, network.subarray(0, length / 8))
  const mask = bitwise(REG, maskBytes(length, network.length), new Uint8Array(network.length))
  return [...load(left, table, 0), mask, cmp(REG, OPS[op], network)]
}

const utf8 = new TextEncoder()
const isWildcard = (type: DataType, value: Scalar): value is string =>
  type === 'ifname' && typeof value === 'string' && value.endsWith('*')

const scalar = (left: Expr, table: Table, type: DataType, op: Comparison, value: Scalar): Instruction[] => {
  if (isWildcard(type, value)) return leading(left, table, op, utf8.encode(value.slice(0, -1)))
  const loaded = load(left, table, 0)
  if (specOf(type).bits === true && op === '==' && left.kind !== 'bits')
    return [...loaded, ...anyBit(type, numberOf(type, value))]
  if (op === '==' || op === '!=') return [...loaded, cmp(REG, OPS[op], encodeScalar(type, value))]
  const { turn, bytes } = ordered(type)
  return [...loaded, ...turn, cmp(REG, OPS[op], bytes(value))]
}

/** @throws DecodeError for a right side that is not of the left's type, or a concatenation on the left */
export const compileMatch = ({ left, op, right }: Match, table: Table): Instruction[] => {
  const [type, ...rest] = typesOf(left, table)
  if (type === undefined || rest.length > 0)
    throw new DecodeError('match', `${quote(right)} cannot be compared with a concatenation; look it up in a set`)
  if (isFlags(right)) return [...load(left, table, 0), ...anyBit(type, bitsOf(type, right))]
  if (isRange(right)) return [...load(left, table, 0), ...range(type, op, right)]
  if (isPrefix(type, right)) return prefix(left, table, op, right)
  return scalar(left, table, type, op, right)
}
