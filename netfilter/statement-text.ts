/** Statements and rules as `nft -s list` prints them, which `nft -f` loads. */
import { LIMIT_BURST } from './compile.ts'
import type { Expr } from './expression.ts'
import { renderExpr, renderMatch } from './expression-text.ts'
import type { NatFlag, Rule, Statement, Table } from './ruleset.ts'

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>

/** `text` in double quotes. nft's strings know no escape: a quote or a line end cannot stand in one and is shown as `'` or
 *  a space. */
export const quoted = (text: string): string => `"${text.replaceAll('"', "'").replaceAll(/\p{Cc}/gu, ' ')}"`

/** Seconds as nft writes a time: `1d2h3m4s`. */
export const renderDuration = (seconds: number): string => {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  return parts.map(([n, unit]) => (n === 0 ? '' : `${n}${unit}`)).join('') || '0s'
}

const FLAG_ORDER: readonly NatFlag[] = ['random', 'fully-random', 'persistent']
const flagText = (flags: readonly NatFlag[] = []): string =>
  flags.length === 0 ? '' : ` ${FLAG_ORDER.filter((flag) => flags.includes(flag)).join(',')}`

/** `1.2.3.4:80`, `[fd00::1]:80`, `:80`, or the map that yields both. */
const target = (to: Expr | undefined, port: Expr | undefined, table: Table): string => {
  const address = to === undefined ? '' : renderExpr(to, table)
  if (port === undefined) return address
  const host = address.includes(':') && to?.kind === 'value' ? `[${address}]` : address
  return `${host}:${renderExpr(port, table)}`
}

const natText = ({ kind, family, to, port, flags }: Of<'dnat' | 'snat'>, table: Table): string => {
  const shown = table.family === 'inet' && family !== undefined ? ` ${family}` : ''
  return `${kind}${shown} to ${target(to, port, table)}${flagText(flags)}`
}

const dynsetText = ({ op, set, key, data, timeout }: Of<'dynset'>, table: Table): string => {
  const lifetime = timeout === undefined ? '' : ` timeout ${renderDuration(timeout)}`
  const value = data === undefined ? '' : ` : ${renderExpr(data, table)}`
  return `${op} @${set} { ${renderExpr(key, table)}${lifetime}${value} }`
}

const limitText = ({ rate, per, burst = LIMIT_BURST, over }: Of<'limit'>): string =>
  `limit rate ${over === true ? 'over ' : ''}${rate}/${per}${burst === LIMIT_BURST ? '' : ` burst ${burst} packets`}`

const queueText = ({ from, to = from, bypass, fanout }: Of<'queue'>): string => {
  const flags = [bypass === true ? 'bypass' : '', fanout === true ? 'fanout' : ''].filter((flag) => flag !== '')
  const range = to === from ? `${from}` : `${from}-${to}`
  return `queue${flags.length === 0 ? '' : ` flags ${flags.join(',')}`} to ${range}`
}

const logText = ({ prefix, group }: Of<'log'>): string =>
  `log${prefix === undefined ? '' : ` prefix ${quoted(prefix)}`}${group === undefined ? '' : ` group ${group}`}`

export const renderStatement = (statement: Statement, table: Table): string => {
  switch (statement.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'counter':
    case 'notrack':
      return statement.kind
    case 'jump':
    case 'goto':
      return `${statement.kind} ${statement.chain}`
    case 'match':
      return renderMatch(statement, table)
    case 'lookup':
      return `${renderExpr(statement.key, table)} ${statement.not === true ? '!= ' : ''}@${statement.set}`
    case 'vmap':
      return `${renderExpr(statement.key, table)} vmap @${statement.map}`
    case 'dynset':
      return dynsetText(statement, table)
    case 'dnat':
    case 'snat':
      return natText(statement, table)
    case 'masquerade':
      return `masquerade${flagText(statement.flags)}`
    case 'redirect':
      return `redirect${statement.port === undefined ? '' : ` to ${target(undefined, statement.port, table)}`}${flagText(statement.flags)}`
    case 'reject':
      return statement.with === 'icmpx port-unreachable' ? 'reject' : `reject with ${statement.with}`
    case 'set':
      return `${statement.target} set ${renderExpr(statement.to, table)}`
    case 'log':
      return logText(statement)
    case 'limit':
      return limitText(statement)
    case 'queue':
      return queueText(statement)
    case 'raw':
      return statement.text
    default:
      return statement satisfies never
  }
}

/** A rule on one line, its comment last. */
export const renderRule = ({ statements, comment }: Rule, table: Table): string => {
  const text = statements.map((statement) => renderStatement(statement, table)).join(' ')
  return comment === undefined ? text : `${text} comment ${quoted(comment)}`
}
