/** Chains and rules of one iptables table: a fact of its own kind because a container's rules are one transaction. Names
 *  and comments are the reference plugins', so that each deletes what the other made. */
import type { Family } from '../addr/ip.ts'
import { CniError, ERR_KERNEL } from '../cni/error.ts'
import {
  ensureLines,
  type IptablesChain,
  type IptablesRule,
  type IptablesRules,
  type IptablesTable,
  missingFrom,
  removeLines,
} from '../netfilter/iptables-table.ts'
import {
  type IptablesTableName,
  type Place,
  restoreTable,
  saveTable,
  type Variant,
  variantFor,
  variantsWith,
  withIptablesLock,
} from './iptables-command.ts'
import type { Kernel } from './kernel.ts'
import { hasNftChain } from './nft-lookup.ts'
import { commentOf, networkPrefix, type Owner } from './owner.ts'
import type { Ns, Operations } from './plan.ts'

/** To remove without knowing the addresses, state the chains with no rules: every jump to them goes too. */
export interface IptablesFact {
  readonly kind: 'iptables'
  readonly ns: Ns
  readonly family: Family
  readonly table: IptablesTableName
  readonly owner: Owner
  /** The container's own chains: written whole, removed with every jump to them. A rule without a target whose comment is
   *  `commentOf(owner)` records an attachment; with it, two attachments may share a chain, and GC knows whose it is. */
  readonly chains: readonly IptablesChain[]
  /** Chains created when absent, never emptied, never removed. */
  readonly shared: readonly string[]
  /** Rules in chains that are not the container's own. */
  readonly rules: readonly IptablesRule[]
  /** The chains are the node's: what else is in them is drift too. */
  readonly whole?: true
}

/** Another process may change the table between reading and writing: both are done again. */
const TRIES = 4

const wanted = (fact: IptablesFact): IptablesRules => ({
  owner: commentOf(fact.owner),
  network: networkPrefix(fact.owner.network),
  chains: fact.chains,
  shared: fact.shared,
  rules: fact.rules,
})

/** Restore commands for a table as it is; none when it is as it should be. */
export type Lines = (table: IptablesTable) => string[]

/** Reads, decides and writes. Returns whether anything had to be written. @throws CniError 102, 11, 7 */
const change = (kernel: Kernel, place: Place, variant: Variant, lines: Lines, lock: number): boolean => {
  let refused: string | undefined
  for (let i = 0; i < TRIES; i++) {
    const commands = lines(saveTable(kernel, place, variant))
    if (commands.length === 0) return false
    refused = restoreTable(kernel, place, variant, commands, lock)
    if (refused === undefined) return true
  }
  throw new CniError(ERR_KERNEL, `iptables refused rules for table ${place.table}`, refused)
}

const render = (fact: IptablesFact): string => {
  const command = `${fact.family === 4 ? 'iptables' : 'ip6tables'} -t ${fact.table}`
  const empty: IptablesTable = new Map()
  return ensureLines(wanted(fact), empty)
    .map((line) => `${command} ${line.replace(/^:(\S+) .*/, '-N $1')}`)
    .join('\n')
}

const ensure = (fact: IptablesFact, kernel: Kernel): boolean =>
  withIptablesLock((lock) =>
    change(kernel, fact, variantFor(kernel, fact), (table) => ensureLines(wanted(fact), table), lock),
  )

const FAMILY_NUMBER = { 4: 2, 6: 10 } as const
/** Whether a variant may hold one of `chains`, without a fork. The nft variant says for sure; the legacy one says only that
 *  the table is there. */
const mayHold = (kernel: Kernel, { ns, family, table }: Place, chains: readonly string[], variant: Variant): boolean =>
  variant !== 'nft' || chains.some((chain) => hasNftChain(kernel, ns, FAMILY_NUMBER[family], table, chain))

/** Runs the commands that `lines` gives for the table of each variant that may hold one of `chains`. Forks nothing when
 *  the node has none of them. @throws CniError 102, 11 */
export const rewriteIptables = (kernel: Kernel, place: Place, chains: readonly string[], lines: Lines): void => {
  const variants = variantsWith(kernel, place).filter((variant) => mayHold(kernel, place, chains, variant))
  if (variants.length === 0) return
  withIptablesLock((lock) => {
    for (const variant of variants) change(kernel, place, variant, lines, lock)
  })
}

const remove = (fact: IptablesFact, kernel: Kernel): void => {
  const own = fact.rules.filter((rule) => rule.shared !== true)
  const chains = [...fact.chains.map(({ name }) => name), ...own.map(({ chain }) => chain)]
  rewriteIptables(kernel, fact, chains, (table) => removeLines(wanted(fact), table))
}

/** What the table lacks, in words; of chains that are the node's, what would have to be done. */
const lacking = (fact: IptablesFact, table: IptablesTable): string[] => {
  const missing = missingFrom(wanted(fact), table)
  return missing.length === 0 && fact.whole === true ? ensureLines(wanted(fact), table) : missing
}

const drift = (fact: IptablesFact, kernel: Kernel): string | undefined => {
  const [fewest] = variantsWith(kernel, fact)
    .map((variant) => lacking(fact, saveTable(kernel, fact, variant)))
    .sort((a, b) => a.length - b.length)
  const place = `${fact.family === 4 ? 'iptables' : 'ip6tables'} table ${fact.table}`
  if (fewest === undefined) return `${place} does not exist`
  return fewest.length === 0 ? undefined : `${place} lacks ${fewest.join('; ')}`
}

export const iptablesOperations: Operations<IptablesFact> = { render, ensure, remove, drift }

/** The rules of a table, from each variant that has it: what GC looks through. Forks only where the table exists. */
export const iptablesTables = (kernel: Kernel, place: Place): IptablesTable[] =>
  variantsWith(kernel, place).map((variant) => saveTable(kernel, place, variant))
