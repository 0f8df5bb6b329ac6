/** Whether a table of ours still is what its layout says: chains flushed or unhooked, rules deleted or changed. */
import { compileRule } from '../netfilter/compile.ts'
import { idOf } from '../netfilter/family.ts'
import type { Chain, Table } from '../netfilter/ruleset.ts'
import { hookSpec } from '../netfilter/transaction.ts'
import { type ChainDump, dumpChains, dumpRules, dumpSets, type RuleDump } from '../netlink/nftables-dump.ts'
import { fingerprintOf, type Instruction } from '../netlink/nftables-instruction.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import { isRaw, tableComment } from './nft-table.ts'

const print = (instructions: readonly Instruction[]): string => instructions.map(fingerprintOf).join('\n')

const isHookSame = (table: Table, chain: Chain, found: ChainDump): boolean => {
  const wanted = chain.base === undefined ? undefined : hookSpec(chain.base, table.family)
  const { hook } = found
  if (wanted === undefined || hook === undefined) return wanted === hook
  return wanted.hook === hook.hook && wanted.priority === hook.priority && wanted.policy === hook.policy
}

const rulesDrift = (table: Table, chain: Chain, rules: readonly RuleDump[]): string | undefined => {
  if (rules.length !== chain.rules.length) return `holds ${rules.length} rules instead of ${chain.rules.length}`
  if (isRaw(table)) return undefined // nft compiled it, in its own version's way
  const at = chain.rules.findIndex((rule, i) => print(compileRule(rule, table)) !== print(rules[i]?.instructions ?? []))
  return at < 0 ? undefined : `has another rule ${at + 1}`
}

const chainDrift = (
  table: Table,
  chain: Chain,
  found: ChainDump | undefined,
  rules: readonly RuleDump[],
): string | undefined => {
  if (found === undefined) return 'is missing'
  return isHookSame(table, chain, found) ? rulesDrift(table, chain, rules) : 'is hooked elsewhere'
}

/** What differs, in one line; undefined when nothing does. A table of another version's layout is left to that version's
 *  rules: the next ADD replaces it. @throws NetlinkError */
export const tableDrift = (socket: NetlinkSocket, table: Table): string | undefined => {
  const name = `nft table ${table.family} ${table.name}`
  const comment = tableComment(socket, table)
  if (comment === undefined) return `${name} is missing`
  if (comment !== table.comment) return undefined
  const chains = new Map(dumpChains(socket, idOf(table)).map((chain) => [chain.name, chain]))
  const rules = dumpRules(socket, idOf(table))
  for (const chain of table.chains) {
    const own = rules.filter((rule) => rule.chain === chain.name)
    const why = chainDrift(table, chain, chains.get(chain.name), own)
    if (why !== undefined) return `chain ${chain.name} of ${name} ${why}`
  }
  const sets = new Set(dumpSets(socket, idOf(table)).map((set) => set.name))
  const missing = table.sets.find((set) => !sets.has(set.name))
  return missing === undefined ? undefined : `set ${missing.name} of ${name} is missing`
}
