/** Expressions and comparisons as `nft list` prints them. */
import { type DataType, specOf } from './datatype.ts'
import { type Expr, FIB_FLAGS } from './expression.ts'
import { typesOf } from './load.ts'
import { bitsOf } from './match.ts'
import type { Statement, Table } from './ruleset.ts'
import { isRange, numberOf, renderField, renderScalar } from './value.ts'

/** Keys that stand without `meta` in front. */
const UNQUALIFIED: readonly string[] = ['iif', 'oif', 'iifname', 'oifname', 'ibrname', 'obrname']

const offsetText = (offset = 0): string => (offset === 0 ? '' : ` offset ${offset}`)

/** The parts of a fib expression in nft's order, whatever the order they were written in. */
const fibText = ({ flags, result }: Expr & { kind: 'fib' }): string => {
  const names = Object.keys(FIB_FLAGS).filter((name) => flags.some((flag) => flag === name))
  return `fib ${names.join(' . ')} ${result}`
}

const ALL = 0xffffffff
const hex32 = (n: number): string => `0x${(n >>> 0).toString(16).padStart(8, '0')}`

const bitsText = ({ of, mask, xor }: Expr & { kind: 'bits' }, table: Table): string => {
  const value = renderExpr(of, table)
  if (xor === 0) return `${value} & ${bitValue(of, mask, table)}`
  if (mask === ALL) return `${value} ^ ${hex32(xor)}`
  if (mask === (ALL ^ xor) >>> 0) return `${value} | ${hex32(xor)}`
  return `${value} & ${hex32(mask | xor)} | ${hex32(xor)}`
}

const bitValue = (of: Expr, bits: number, table: Table): string => {
  const [type] = typesOf(of, table)
  return type === undefined || specOf(type).bits !== true
    ? hex32(bits)
    : `(${renderScalar(type, bits).replaceAll(',', ' | ')})`
}

export const renderExpr = (expr: Expr, table: Table): string => {
  switch (expr.kind) {
    case 'meta':
      return UNQUALIFIED.includes(expr.key) ? expr.key : `meta ${expr.key}`
    case 'payload':
      return expr.field
    case 'ct':
      return expr.direction === undefined ? `ct ${expr.key}` : `ct ${expr.direction} ${expr.key}`
    case 'fib':
      return fibText(expr)
    case 'numgen':
      return `numgen ${expr.mode} mod ${expr.mod}${offsetText(expr.offset)}`
    case 'jhash': {
      const seed = ` seed 0x${(expr.seed ?? 0).toString(16)}`
      return `jhash ${renderExpr(expr.of, table)} mod ${expr.mod}${seed}${offsetText(expr.offset)}`
    }
    case 'symhash':
      return `symhash mod ${expr.mod}${offsetText(expr.offset)}`
    case 'bits':
      return bitsText(expr, table)
    case 'concat':
      return expr.parts.map((part) => renderExpr(part, table)).join(' . ')
    case 'map':
      return `${renderExpr(expr.key, table)} map @${expr.map}`
    case 'value':
      return renderScalar(expr.type, expr.value)
  }
}

const isFlags = (right: unknown): right is readonly string[] => Array.isArray(right)

/** `tcp flags & (syn | ack) == syn` as `tcp flags syn / syn,ack`. */
const flagsUnderMask = (left: Expr & { kind: 'bits' }, type: DataType, right: number, table: Table): string =>
  `${renderExpr(left.of, table)} ${renderScalar(type, right)} / ${renderScalar(type, left.mask)}`

export const renderMatch = ({ left, op, right }: Statement & { kind: 'match' }, table: Table): string => {
  const [type] = typesOf(left, table)
  if (type === undefined) return ''
  const text = renderExpr(left, table)
  if (isFlags(right)) return `${text} ${renderScalar(type, bitsOf(type, right))}`
  if (left.kind === 'bits' && specOf(type).bits === true && !isRange(right) && left.of.kind === 'payload')
    return flagsUnderMask(left, type, numberOf(type, right), table)
  const shown = op === '==' && left.kind !== 'bits' ? '' : `${op} `
  return `${text} ${shown}${renderField(type, right)}`
}
