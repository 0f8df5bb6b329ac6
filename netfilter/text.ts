/** Tables in nft's language: as `nft -s list` prints them, and as single commands. nft(8). */

import type { Expr } from './expression.ts'
import { renderExpr } from './expression-text.ts'
import { renderPriority } from './priority.ts'
import type { BaseChain, Chain, Element, SetDecl, Statement, Table } from './ruleset.ts'
import { setOf } from './statement.ts'
import { quoted, renderDuration, renderRule, renderStatement } from './statement-text.ts'
import { sizeOf } from './transaction.ts'
import { renderField, type Scalar } from './value.ts'

const typeofText = ({ key, data }: NonNullable<SetDecl['typeof']>, table: Table): string => {
  const text = (parts: readonly Expr[]): string => parts.map((part) => renderExpr(part, table)).join(' . ')
  return `typeof ${text(key)}${data === undefined ? '' : ` : ${text(data)}`}`
}

const typeText = ({ key, data, typeof: parts }: SetDecl, table: Table): string => {
  if (parts !== undefined) return typeofText(parts, table)
  const value = data === undefined ? '' : ` : ${data === 'verdict' ? data : data.join(' . ')}`
  return `type ${key.join(' . ')}${value}`
}

const flagsOf = ({ interval, dynamic, timeout }: SetDecl): readonly string[] => {
  const flags = [
    interval === true ? 'interval' : '',
    dynamic === true ? 'dynamic' : '',
    timeout === undefined ? '' : 'timeout',
  ].filter((flag) => flag !== '')
  // a set whose only flag is timeout, and that has one, is printed without flags
  return flags.length === 1 && flags[0] === 'timeout' && timeout !== 0 ? [] : flags
}

/** The lines between a set's braces. */
const setLines = (set: SetDecl, table: Table): string[] => {
  const size = sizeOf(set)
  const flags = flagsOf(set)
  return [
    typeText(set, table),
    ...(size === undefined ? [] : [`size ${size}`]),
    ...(flags.length === 0 ? [] : [`flags ${flags.join(',')}`]),
    ...(set.counter === true ? ['counter'] : []),
    ...(set.timeout === undefined || set.timeout === 0 ? [] : [`timeout ${renderDuration(set.timeout)}`]),
    ...(set.comment === undefined ? [] : [`comment ${quoted(set.comment)}`]),
  ]
}

const kindOf = ({ data }: SetDecl): 'map' | 'set' => (data === undefined ? 'set' : 'map')

const isVerdict = (data: Element['data']): data is Statement & Element['data'] => data !== undefined && 'kind' in data

const dataText = (set: SetDecl, data: Element['data'], table: Table): string => {
  if (data === undefined) return ''
  if (isVerdict(data)) return ` : ${renderStatement(data, table)}`
  const types = set.data === undefined || set.data === 'verdict' ? [] : set.data
  return ` : ${types.map((type, i) => renderField(type, (data as readonly Scalar[])[i] ?? '')).join(' . ')}`
}

/** The key of an element: `tcp . 8080`. */
export const renderKey = (set: SetDecl, key: Element['key']): string =>
  set.key.map((type, i) => renderField(type, key[i] ?? '')).join(' . ')

/** One element between a set's braces. */
export const renderElement = (set: SetDecl, element: Element, table: Table): string => {
  const { key, data, timeout, comment } = element
  const lifetime = timeout === undefined ? '' : ` timeout ${renderDuration(timeout)}`
  const note = comment === undefined ? '' : ` comment ${quoted(comment)}`
  return `${renderKey(set, key)}${lifetime}${note}${dataText(set, data, table)}`
}

const hookLine = ({ type, hook, priority, policy = 'accept', device }: BaseChain, table: Table): string => {
  const on = device === undefined ? '' : ` device ${quoted(device)}`
  return `type ${type} hook ${hook}${on} priority ${renderPriority(priority, hook, table.family)}; policy ${policy};`
}

const chainLines = ({ comment, base, rules }: Chain, table: Table): string[] => [
  ...(comment === undefined ? [] : [`comment ${quoted(comment)}`]),
  ...(base === undefined ? [] : [hookLine(base, table)]),
  ...rules.map((rule) => renderRule(rule, table)),
]

const block = (head: string, lines: readonly string[]): string =>
  [`\t${head} {`, ...lines.map((line) => `\t\t${line}`), '\t}'].join('\n')

/** The table without elements, as `nft -s list table` prints it and `nft -f` loads it. */
export const renderTable = (table: Table): string => {
  const comment = table.comment === undefined ? [] : [`\tcomment ${quoted(table.comment)}`]
  const blocks = [
    ...table.sets.map((set) => block(`${kindOf(set)} ${set.name}`, setLines(set, table))),
    ...table.chains.map((chain) => block(`chain ${chain.name}`, chainLines(chain, table))),
  ]
  const head = [`table ${table.family} ${table.name} {`, ...comment].join('\n')
  return `${head}\n${blocks.join('\n\n')}\n}\n`
}

/** Commands that make the table, one a line; each can be given to `nft` or stand in a file for `nft -f`. */
export const renderCommands = (table: Table): string[] => {
  const at = `${table.family} ${table.name}`
  const body = (lines: readonly string[]): string =>
    `{ ${lines.map((line) => `${line.replace(/;$/, '')};`).join(' ')} }`
  const note = table.comment === undefined ? '' : ` ${body([`comment ${quoted(table.comment)}`])}`
  return [
    `add table ${at}${note}`,
    ...table.sets.map((set) => `add ${kindOf(set)} ${at} ${set.name} ${body(setLines(set, table))}`),
    ...table.chains.map(({ rules: _, ...chain }) => {
      const lines = chainLines({ ...chain, rules: [] }, table)
      return `add chain ${at} ${chain.name}${lines.length === 0 ? '' : ` ${body(lines)}`}`
    }),
    ...table.chains.flatMap((chain) =>
      chain.rules.map((rule) => `add rule ${at} ${chain.name} ${renderRule(rule, table)}`),
    ),
  ]
}

/** The command that adds elements to one set. */
export const renderAddElements = (table: Table, set: string, elements: readonly Element[]): string => {
  const decl = setOf(table, set)
  const list = elements.map((element) => renderElement(decl, element, table))
  return `add element ${table.family} ${table.name} ${set} { ${list.join(', ')} }`
}
