/** Fact: an nftables table of ours, all of it: what differs in any rule is drift, and mended by putting the table in place
 *  of what is there, in one transaction. For what is the node's as a whole; what pods share is `nft.ts`. */
import type { Table } from '../netfilter/ruleset.ts'
import { renderCommands } from '../netfilter/text.ts'
import { createTable, deleteTable } from '../netfilter/transaction.ts'
import { isNotFound } from '../netlink/error.ts'
import { commit } from '../netlink/nfnetlink.ts'
import { readGeneration } from '../netlink/nftables-dump.ts'
import type { Kernel } from './kernel.ts'
import { tableDrift } from './nft-drift.ts'
import { isOvertaken, untilCurrent } from './nft-retry.ts'
import { tableComment, withLayout } from './nft-table.ts'
import type { Ns, Operations } from './plan.ts'

export interface NftTableFact {
  readonly kind: 'nft-table'
  readonly ns: Ns
  /** Its own comment is replaced by one that says its layout. */
  readonly table: Table
}

const nameOf = ({ table }: NftTableFact): string => `nft table ${table.family} ${table.name}`

const drift = (fact: NftTableFact, kernel: Kernel): string | undefined => {
  const socket = kernel.netfilter(fact.ns)
  const wanted = withLayout(fact.table)
  const comment = tableComment(socket, wanted)
  if (comment !== undefined && comment !== wanted.comment) return `${nameOf(fact)} has other rules`
  return tableDrift(socket, wanted)
}

/** The generation is that from before the look, so that nothing that changes meanwhile is overwritten unseen. */
const attempt = (fact: NftTableFact, kernel: Kernel): boolean => {
  const socket = kernel.netfilter(fact.ns)
  const generation = readGeneration(socket)
  if (drift(fact, kernel) === undefined) return false
  const isThere = tableComment(socket, fact.table) !== undefined
  const messages = [...(isThere ? [deleteTable(fact.table)] : []), ...createTable(withLayout(fact.table), true)]
  commit(socket, nameOf(fact), messages, generation)
  return !isThere
}

const remove = (fact: NftTableFact, kernel: Kernel): void => {
  try {
    commit(kernel.netfilter(fact.ns), nameOf(fact), [deleteTable(fact.table)])
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const render = ({ table }: NftTableFact): string =>
  renderCommands(withLayout(table))
    .map((command) => `nft '${command.replaceAll("'", "'\\''")}'`)
    .join('\n')

export const nftTableOperations: Operations<NftTableFact> = {
  render,
  ensure: (fact, kernel) => untilCurrent(nameOf(fact), isOvertaken, () => attempt(fact, kernel)),
  remove,
  drift,
}
