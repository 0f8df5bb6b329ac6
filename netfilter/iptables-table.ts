/** One iptables table as `iptables-save` prints it, and the `iptables-restore --noflush` commands that bring a wanted set
 *  of chains and rules into it or take it out. Pure. iptables-save(8), iptables-restore(8). */
import { optionOf, ruleKey, targetOf } from './iptables-rule.ts'

/** Chains in order, each with its rules as printed (without `-A CHAIN`). */
export type IptablesTable = ReadonlyMap<string, readonly string[]>

/** Where a rule goes in a chain that others write in too: before all others, behind them, or behind the rule that jumps to
 *  the chain `behind` (first when there is none). */
export type Position = 'first' | 'last' | { readonly behind: string }

export interface IptablesChain {
  readonly name: string
  readonly rules: readonly string[]
}

export interface IptablesRule {
  readonly chain: string
  readonly rule: string
  readonly position: Position
  /** Stays when the owner goes: other attachments need it too. */
  readonly shared?: true
  /** A rule that differs in its comment alone will do: another version, or another program, wrote it. */
  readonly anyComment?: true
}

/** What one owner wants in one table. */
export interface IptablesRules {
  /** Comment of the owner's record rules. A record is a rule of an own chain that has this comment and no target; it tells
   *  attachments apart that share a chain. */
  readonly owner: string
  /** What the records of all attachments of this network begin with. */
  readonly network: string
  /** The container's own chains: written whole, removed with every jump to them. */
  readonly chains: readonly IptablesChain[]
  /** Chains created when absent, never emptied, never removed. */
  readonly shared: readonly string[]
  /** Rules in chains that are not the container's own. */
  readonly rules: readonly IptablesRule[]
}

/** The table in `text`, the output of `iptables-save -t TABLE`. */
export const parseTable = (text: string): IptablesTable => {
  const chains = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const chain = /^:(\S+) /.exec(line)?.[1]
    const [, name = '', rule = ''] = /^-A (\S+)(?: (.*))?$/.exec(line) ?? []
    if (chain !== undefined) chains.set(chain, [])
    else chains.get(name)?.push(rule)
  }
  return chains
}

/** A restore script that runs `lines` in `table`, all or none. */
export const scriptOf = (table: string, lines: readonly string[]): string => `*${table}\n${lines.join('\n')}\nCOMMIT\n`

const isSame = (rule: string, anyComment = false): ((other: string) => boolean) => {
  const key = ruleKey(rule, anyComment)
  return (other) => ruleKey(other, anyComment) === key
}
const has = (rules: readonly string[], rule: string, anyComment = false): boolean =>
  rules.some(isSame(rule, anyComment))

const commentIn = (rule: string): string => optionOf(rule, '--comment') ?? ''
const isRecord = (rule: string, network: string): boolean => commentIn(rule).startsWith(network)
const isForeign = (rule: string, want: IptablesRules): boolean =>
  isRecord(rule, want.network) && commentIn(rule) !== want.owner
/** Rules that end the chain without translating come before those that translate whatever is left. */
const isEarly = (rule: string): boolean => ['ACCEPT', 'RETURN'].includes(targetOf(rule) ?? '')

/** What an own chain shall hold: the owner's rules; and the rules there now, when another attachment shares the chain. */
const contentOf = (
  chain: IptablesChain,
  want: IptablesRules,
  now: readonly string[] | undefined,
): readonly string[] => {
  if (!now?.some((rule) => isForeign(rule, want))) return chain.rules
  const all = [...now, ...chain.rules.filter((rule) => !has(now, rule))]
  return [...all.filter(isEarly), ...all.filter((rule) => !isEarly(rule))]
}

const keysOf = (rules: readonly string[]): string => rules.map((rule) => ruleKey(rule)).join('\0')
const isEqual = (a: readonly string[], b: readonly string[] | undefined): boolean =>
  b !== undefined && keysOf(a) === keysOf(b)

const ownChainLines = (want: IptablesRules, table: IptablesTable): string[] => {
  const differing = want.chains
    .map(({ name, ...chain }) => ({ name, rules: contentOf({ name, ...chain }, want, table.get(name)) }))
    .filter(({ name, rules }) => !isEqual(rules, table.get(name)))
  return [
    ...differing.map(({ name }) => `:${name} - [0:0]`),
    ...differing.flatMap(({ name, rules }) => rules.map((rule) => `-A ${name} ${rule}`)),
  ]
}

/** Number of rules that stay before a rule put at `position`. */
const placeOf = (position: Position, rules: readonly string[]): number => {
  if (position === 'first') return 0
  if (position === 'last') return rules.length
  return rules.findIndex((rule) => targetOf(rule) === position.behind) + 1
}

const sharedRuleLines = (want: IptablesRules, table: IptablesTable): string[] => {
  const state = new Map([...table].map(([name, rules]) => [name, [...rules]]))
  const insert = ({ chain, rule, position, anyComment }: IptablesRule): string[] => {
    const rules = state.get(chain) ?? []
    if (has(rules, rule, anyComment)) return []
    const place = placeOf(position, rules)
    state.set(chain, rules.toSpliced(place, 0, rule))
    return [place === rules.length ? `-A ${chain} ${rule}` : `-I ${chain} ${place + 1} ${rule}`]
  }
  return want.rules.flatMap(insert)
}

/** Restore commands that make `table` hold `want`; none when it does. A shared chain is made by `-N`, which fails when
 *  another process made it meanwhile: the caller reads again. */
export const ensureLines = (want: IptablesRules, table: IptablesTable): string[] => [
  ...want.shared.filter((name) => !table.has(name)).map((name) => `-N ${name}`),
  ...ownChainLines(want, table),
  ...sharedRuleLines(want, table),
]

interface Placed {
  readonly chain: string
  readonly rule: string
}
const deletion = ({ chain, rule }: Placed): string => `-D ${chain} ${rule}`

const rulesThat = (table: IptablesTable, test: (rule: string, chain: string) => boolean): Placed[] =>
  [...table].flatMap(([chain, rules]) => rules.filter((rule) => test(rule, chain)).map((rule) => ({ chain, rule })))

/** The text is searched first: a node's nat table may hold tens of thousands of rules. */
const leadsTo = (rule: string, chain: string): boolean => rule.includes(chain) && targetOf(rule) === chain

/** Takes the owner out of a chain that others share: its records, and the jumps from the addresses recorded. */
const leaveLines = (name: string, want: IptablesRules, table: IptablesTable): string[] => {
  const records = (table.get(name) ?? []).filter((rule) => commentIn(rule) === want.owner)
  const sources = records.map((rule) => optionOf(rule, '-s')).filter((source) => source !== undefined)
  const jumps = rulesThat(table, (rule) => leadsTo(rule, name) && sources.includes(optionOf(rule, '-s') ?? ''))
  return [...jumps, ...records.map((rule) => ({ chain: name, rule }))].map(deletion)
}

/** Restore commands that take `want` out of `table`, whatever of it is there; none when nothing is. */
export const removeLines = (want: IptablesRules, table: IptablesTable): string[] => {
  const present = want.chains.map(({ name }) => name).filter((name) => table.has(name))
  const kept = present.filter((name) => table.get(name)?.some((rule) => isForeign(rule, want)))
  const gone = present.filter((name) => !kept.includes(name))
  const unwanted = want.rules.filter((rule) => rule.shared !== true).map((rule) => ({ ...rule, is: isSame(rule.rule) }))
  const isDoomed = (rule: string, chain: string): boolean =>
    gone.some((name) => leadsTo(rule, name)) || unwanted.some((other) => other.chain === chain && other.is(rule))
  return [
    ...kept.flatMap((name) => leaveLines(name, want, table)),
    ...rulesThat(table, isDoomed).map(deletion),
    ...gone.map((name) => `-F ${name}`),
    ...gone.map((name) => `-X ${name}`),
  ]
}

/** What of `want` is not in `table`, one phrase each. */
export const missingFrom = (want: IptablesRules, table: IptablesTable): string[] => {
  const own = want.chains.flatMap(({ name, rules }) => rules.map((rule) => ({ chain: name, rule, anyComment: false })))
  return [
    ...want.shared.filter((name) => !table.has(name)).map((name) => `chain ${name}`),
    ...[...own, ...want.rules]
      .filter(({ chain, rule, anyComment }) => !has(table.get(chain) ?? [], rule, anyComment))
      .map(({ chain, rule }) => `rule -A ${chain} ${rule}`),
  ]
}
