/** The userdata by which stock `nft` lists a set as `typeof ip daddr . th dport` instead of by its types. The kernel keeps
 *  it and does not look. nftables' expression.c and its build_udata functions; libnftnl/udata.h. */
import { DecodeError, quote } from '../addr/error.ts'
import { u32 } from '../netlink/message.ts'
import { encodeUdata, type Udata } from '../netlink/nftables-userdata.ts'
import { CT, type Expr, META, PAYLOAD } from './expression.ts'

/** enum expr_types */
const PAYLOAD_EXPR = 7
const META_EXPR = 9
const CT_EXPR = 12
const CONCAT_EXPR = 13
const NUMGEN_EXPR = 23
/** NFTNL_UDATA_SET_TYPEOF_EXPR, NFTNL_UDATA_SET_TYPEOF_DATA */
const EXPR = 0
const DATA = 1
/** Of a connection in no particular direction. */
const NO_DIRECTION = 0xffffffff

const numbers = (...values: readonly number[]): Udata[] => values.map((value, i) => [i, u32(value)])

const entry = (type: number, data: readonly Udata[]): Uint8Array =>
  encodeUdata([
    [EXPR, u32(type)],
    [DATA, encodeUdata(data)],
  ])

const directionOf = ({ direction }: Expr & { kind: 'ct' }): number =>
  direction === undefined ? NO_DIRECTION : direction === 'original' ? 0 : 1

const encodePart = (expr: Expr): Uint8Array => {
  switch (expr.kind) {
    case 'payload':
      return entry(PAYLOAD_EXPR, numbers(...PAYLOAD[expr.field].name))
    case 'meta':
      return entry(META_EXPR, numbers(META[expr.key].key))
    case 'ct':
      return entry(CT_EXPR, numbers(CT[expr.key].key, directionOf(expr)))
    case 'numgen':
      return entry(NUMGEN_EXPR, numbers(expr.mode === 'inc' ? 0 : 1, expr.mod, expr.offset ?? 0))
    default:
      throw new DecodeError('typeof', `${quote(expr)} is no field: allowed are payload, meta, ct and numgen`)
  }
}

/** Value of NFTNL_UDATA_SET_KEY_TYPEOF or _DATA_TYPEOF. @throws DecodeError for an expression that is no field */
export const encodeTypeof = (parts: readonly Expr[]): Uint8Array => {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return encodePart(only)
  return entry(
    CONCAT_EXPR,
    parts.map((part, i) => [i, encodePart(part)]),
  )
}

/** A concatenation of `types` parts that are not described: what `nft` writes beside types. */
export const concatTypeof = (): Uint8Array => entry(CONCAT_EXPR, [])
