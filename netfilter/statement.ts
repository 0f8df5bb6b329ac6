/** Short ways to write statements and rules. */
import { concatOf, type Expr } from './expression.ts'
import type { Rule, SetDecl, Statement, Table, Verdict } from './ruleset.ts'
import type { Field } from './value.ts'

export const accept: Verdict = { kind: 'accept' }
export const drop: Verdict = { kind: 'drop' }
export const goBack: Verdict = { kind: 'return' }
export const jump = (chain: string): Verdict => ({ kind: 'jump', chain })
export const goTo = (chain: string): Verdict => ({ kind: 'goto', chain })
export const masquerade: Statement = { kind: 'masquerade' }

/** `left == right`; a list of names: any of these bits. */
export const equals = (left: Expr, right: Field | readonly string[]): Statement => ({
  kind: 'match',
  left,
  op: '==',
  right,
})
export const differs = (left: Expr, right: Field): Statement => ({ kind: 'match', left, op: '!=', right })

const keyOf = (parts: readonly Expr[]): Expr => {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : concatOf(...parts)
}
/** The concatenation of `key` is in the set. */
export const inSet = (set: string, ...key: readonly Expr[]): Statement => ({ kind: 'lookup', key: keyOf(key), set })
export const notInSet = (set: string, ...key: readonly Expr[]): Statement => ({
  kind: 'lookup',
  key: keyOf(key),
  set,
  not: true,
})

/** A rule of these statements. */
export const rule = (...statements: readonly Statement[]): Rule => ({ statements })

/** The declaration of a set. @throws RangeError when the table has none of this name: a defect of the caller */
export const setOf = (table: Table, name: string): SetDecl => {
  const found = table.sets.find((set) => set.name === name)
  if (found === undefined) throw new RangeError(`table ${table.name} has no set ${name}`)
  return found
}
