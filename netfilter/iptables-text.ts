/** A ruleset as text for `iptables-restore --noflush`, as far as iptables has words for it: no sets and no maps. One nft
 *  table becomes one iptables table for each kind of base chain it has. iptables-restore(8). */
import { DecodeError, quote } from '../addr/error.ts'
import type { Family } from '../addr/ip.ts'
import { dependencies, knownOf, learn } from './dependency.ts'
import { matchArguments } from './iptables-match.ts'
import { unsayable } from './iptables-refusal.ts'
import { ruleOf } from './iptables-rule.ts'
import { targetArguments } from './iptables-target.ts'
import { MANGLE, RAW } from './priority.ts'
import type { BaseChain, Chain, Rule, Statement, Table } from './ruleset.ts'

export type IptablesTableName = 'nat' | 'filter' | 'mangle' | 'raw'

/** The iptables table in which a base chain's packets pass at about the same place. */
const tableOf = ({ type, priority, hook }: BaseChain): IptablesTableName => {
  if (type === 'nat') return 'nat'
  if (type === 'route' || (priority <= MANGLE && priority > RAW)) return 'mangle'
  return priority <= RAW || hook === 'prerouting' ? 'raw' : 'filter'
}

/** As `iptables-save` prints them. */
const UNITS = { second: 'sec', minute: 'min', hour: 'hour', day: 'day' } as const

const limitArguments = ({ rate, per, burst }: Statement & { kind: 'limit' }): readonly string[] => [
  ...['-m', 'limit', '--limit', `${rate}/${UNITS[per]}`],
  ...(burst === undefined ? [] : ['--limit-burst', String(burst)]),
]

/** What a statement adds to a rule in front of its target. */
const conditionOf = (statement: Statement, family: Family): readonly string[] | 'never' | undefined => {
  if (statement.kind === 'match') return matchArguments(statement, family)
  if (statement.kind === 'counter') return [] // every iptables rule counts
  if (statement.kind !== 'limit') return undefined
  if (statement.over === true) throw unsayable(statement)
  return limitArguments(statement)
}

/** The same option given twice would be two matches, of which iptables takes one or refuses both: `-p` and `-m` stand once. */
const joined = (parts: readonly (readonly string[])[]): string[] => {
  const pairs = parts.flatMap((part) => {
    const list: (readonly string[])[] = []
    for (let i = 0; i < part.length; i++)
      if (part[i] === '-p' || part[i] === '-m') list.push(part.slice(i, ++i + 1))
      else list.push(part.slice(i, i + 1))
    return list
  })
  const seen = new Set<string>()
  return pairs.flatMap((pair) => {
    const key = pair.join(' ')
    if (pair.length === 2 && seen.has(key)) return []
    seen.add(key)
    return pair
  })
}

/** The statements, with the checks of protocol in front that stock `nft` would make. */
const withChecks = (statements: readonly Statement[], table: Table): readonly Statement[] => {
  let known = knownOf(table.family)
  return statements.flatMap((statement) => {
    const needed = dependencies(statement, known, table.family)
    known = learn(statement, needed.known)
    return [...needed.checks, statement]
  })
}

/** The rule's arguments; undefined when no packet of the family can match it. @throws DecodeError */
const renderRule = ({ statements, comment }: Rule, table: Table, family: Family): string | undefined => {
  const conditions: (readonly string[])[] = []
  let target: readonly string[] | undefined
  for (const statement of withChecks(statements, table)) {
    const condition = conditionOf(statement, family)
    const ending = condition === undefined ? targetArguments(statement, family) : undefined
    if (condition === 'never' || ending === 'never') return undefined
    if (target !== undefined || (condition === undefined && ending === undefined)) throw unsayable(statement)
    if (condition !== undefined) conditions.push(condition)
    target = ending
  }
  const note = comment === undefined ? [] : ['-m', 'comment', '--comment', comment]
  return ruleOf(...joined([...conditions, note]), ...(target ?? []))
}

const targetsOf = ({ rules }: Chain): readonly string[] =>
  rules.flatMap(({ statements }) =>
    statements.flatMap((statement) =>
      statement.kind === 'jump' || statement.kind === 'goto' ? [statement.chain] : [],
    ),
  )

/** `chains` and those that packets can come to from them. */
const reachable = (table: Table, chains: readonly Chain[]): readonly Chain[] => {
  const names = new Set(chains.map(({ name }) => name))
  for (const name of names)
    for (const chain of table.chains) if (chain.name === name) for (const next of targetsOf(chain)) names.add(next)
  return table.chains.filter(({ name }) => names.has(name))
}

const chainName = ({ name, base }: Chain): string => (base === undefined ? name : base.hook.toUpperCase())

const renderPart = (table: Table, name: IptablesTableName, family: Family): string => {
  const bases = table.chains.filter(({ base }) => base !== undefined && tableOf(base) === name)
  const chains = reachable(table, bases)
  const rules = chains.flatMap((chain) =>
    chain.rules.flatMap((rule) => {
      const text = renderRule(rule, table, family)
      return text === undefined ? [] : [`-A ${chainName(chain)} ${text}`.trimEnd()]
    }),
  )
  const own = chains.filter(({ base }) => base === undefined).map((chain) => `:${chain.name} - [0:0]`)
  return [`*${name}`, ...own, ...rules, 'COMMIT', ''].join('\n')
}

/** The table's rules for packets of `family`, appended to the built-in chains of the same hooks.
 *  @throws DecodeError for what iptables has no words for: a set, a map, two targets in one rule, a chain of a bridge */
export const renderIptables = (table: Table, family: Family): string => {
  if (table.family === 'bridge' || table.family === 'netdev')
    throw new DecodeError('iptables table', `${quote(table.family)} has no iptables table: allowed: inet, ip, ip6`)
  const [first] = table.sets
  if (first !== undefined)
    throw new DecodeError(
      'iptables table',
      `the set ${quote(first.name)} cannot be said with iptables: use the nftables backend`,
    )
  const names: readonly IptablesTableName[] = ['raw', 'mangle', 'nat', 'filter']
  const used = names.filter((name) => table.chains.some(({ base }) => base !== undefined && tableOf(base) === name))
  return used.map((name) => renderPart(table, name, family)).join('')
}
