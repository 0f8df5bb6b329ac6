/** Expressions into instructions that load them, and the types they have. Registers are counted in slots of four bytes, of
 *  which there are sixteen; a slot on a 16-byte boundary goes by the number of the old register there, as in `nft`. */

import { u32 } from '../netlink/message.ts'
import type { Instruction } from '../netlink/nftables-instruction.ts'
import {
  bitwise,
  loadCt,
  loadFib,
  loadJhash,
  loadMeta,
  loadNumgen,
  loadPayload,
  loadSymhash,
  loadValue,
  lookup,
  toNetworkOrder,
} from '../netlink/nftables-opcode.ts'
import { NFT_REG_1, NFT_REG32_00 } from '../netlink/nftables-uapi.ts'
import { type DataType, lengthOfTypes, registerBytes, specOf } from './datatype.ts'
import { CT, type Expr, FIB_FLAGS, FIB_RESULTS, META, PAYLOAD } from './expression.ts'
import type { Table } from './ruleset.ts'
import { setOf } from './statement.ts'
import { encodeScalar } from './value.ts'

export const SLOTS_OF_REGISTER = 4
export const registerAt = (slot: number): number =>
  slot % SLOTS_OF_REGISTER === 0 ? NFT_REG_1 + slot / SLOTS_OF_REGISTER : NFT_REG32_00 + slot
export const slotsOf = (bytes: number): number => registerBytes(bytes) / 4

/** Types of what an expression yields; several for a concatenation. @throws RangeError for a map the table does not have */
export const typesOf = (expr: Expr, table: Table): readonly DataType[] => {
  switch (expr.kind) {
    case 'meta':
      return [META[expr.key].type]
    case 'payload':
      return [PAYLOAD[expr.field].type]
    case 'ct':
      return [CT[expr.key].type]
    case 'fib':
      return [FIB_RESULTS[expr.result].type]
    case 'numgen':
    case 'jhash':
    case 'symhash':
      return ['integer']
    case 'bits':
      return typesOf(expr.of, table)
    case 'concat':
      return expr.parts.flatMap((part) => typesOf(part, table))
    case 'map':
      return dataTypesOf(expr.map, table)
    case 'value':
      return [expr.type]
  }
}

const dataTypesOf = (map: string, table: Table): readonly DataType[] => {
  const { data } = setOf(table, map)
  if (data === undefined || data === 'verdict') throw new RangeError(`${map} of table ${table.name} holds no values`)
  return data
}

export const bytesOf = (expr: Expr, table: Table): number => lengthOfTypes(typesOf(expr, table))

const isHostOrder = (type: DataType): boolean => {
  const { order, bytes, form } = specOf(type)
  return order === 'host' && form === 'number' && bytes > 1
}

/** Key of an interval set: numbers are compared byte by byte, so that those in host order are turned round. */
const inNetworkOrder = (types: readonly DataType[], slot: number): Instruction[] => {
  const [type] = types
  return type !== undefined && types.length === 1 && isHostOrder(type)
    ? [toNetworkOrder(registerAt(slot), specOf(type).bytes)]
    : []
}

const loadParts = (parts: readonly Expr[], table: Table, slot: number, interval: boolean): Instruction[] => {
  const out: Instruction[] = []
  let at = slot
  for (const part of parts) {
    out.push(...loadKey(part, table, at, interval))
    at += typesOf(part, table).reduce((sum, type) => sum + slotsOf(specOf(type).bytes), 0)
  }
  return out
}

/** Loads the key of a lookup in a set, of intervals or not, from `slot` on. */
export const loadKey = (expr: Expr, table: Table, slot: number, interval: boolean): Instruction[] => {
  if (expr.kind === 'concat') return loadParts(expr.parts, table, slot, interval)
  return [...load(expr, table, slot), ...(interval ? inNetworkOrder(typesOf(expr, table), slot) : [])]
}

const loadMap = (expr: Expr & { kind: 'map' }, table: Table, slot: number): Instruction[] => {
  const interval = setOf(table, expr.map).interval === true
  return [...loadKey(expr.key, table, slot, interval), lookup(expr.map, registerAt(slot), registerAt(slot))]
}

const fibFlags = (flags: readonly (keyof typeof FIB_FLAGS)[]): number =>
  flags.reduce((sum, flag) => sum | FIB_FLAGS[flag], 0)

/** Instructions that leave the value of `expr` in the registers from `slot` on. */
export const load = (expr: Expr, table: Table, slot: number): Instruction[] => {
  const reg = registerAt(slot)
  switch (expr.kind) {
    case 'meta':
      return [loadMeta(META[expr.key].key, reg)]
    case 'payload': {
      const { base, offset, type } = PAYLOAD[expr.field]
      return [loadPayload(base, offset, specOf(type).bytes, reg)]
    }
    case 'ct':
      return [loadCt(CT[expr.key].key, reg, expr.direction && (expr.direction === 'original' ? 0 : 1))]
    case 'fib':
      return [loadFib(fibFlags(expr.flags), FIB_RESULTS[expr.result].result, reg)]
    case 'numgen':
      return [loadNumgen(expr.mode === 'inc' ? 0 : 1, expr.mod, expr.offset ?? 0, reg)]
    case 'jhash': {
      const source = slot + SLOTS_OF_REGISTER
      const hash = loadJhash(
        registerAt(source),
        bytesOf(expr.of, table),
        expr.mod,
        expr.seed ?? 0,
        expr.offset ?? 0,
        reg,
      )
      return [...load(expr.of, table, source), hash]
    }
    case 'symhash':
      return [loadSymhash(expr.mod, expr.offset ?? 0, reg)]
    case 'bits':
      return [...load(expr.of, table, slot), maskOf(expr, table, reg)]
    case 'concat':
      return loadParts(expr.parts, table, slot, false)
    case 'map':
      return loadMap(expr, table, slot)
    case 'value':
      return [loadValue(reg, encodeScalar(expr.type, expr.value))]
  }
}

/** Constants of a bit operation, in host order and cut to the value's width. */
const maskOf = (expr: Expr & { kind: 'bits' }, table: Table, reg: number): Instruction => {
  const bytes = bytesOf(expr.of, table)
  return bitwise(reg, u32(expr.mask).subarray(0, bytes), u32(expr.xor).subarray(0, bytes), true)
}
