/** Whether the kernel would take a table, tried without leaving a trace: the transaction ends in a message that is always
 *  refused, so that all before it is checked and none of it done. */
import type { Table } from '../netfilter/ruleset.ts'
import { createTable, deleteTable } from '../netfilter/transaction.ts'
import { NetlinkError } from '../netlink/error.ts'
import { commit } from '../netlink/nfnetlink.ts'
import type { Kernel } from './kernel.ts'
import type { Ns } from './plan.ts'

/** Such a table never is: a name of ours must not hold a blank. */
const NEVER: Pick<Table, 'family' | 'name'> = { family: 'inet', name: 'podwire never' }

/** Not the table's own name: one of another layout may be there, and would be in the way. */
const TRIAL = 'podwire-trial'

/** Why the kernel refuses `table`; undefined when it would take it. */
export const refusalOf = (kernel: Kernel, ns: Ns, table: Table): NetlinkError | undefined => {
  const messages = createTable({ ...table, name: TRIAL })
  try {
    commit(kernel.netfilter(ns), `nft table ${table.family} ${table.name}`, [...messages, deleteTable(NEVER)])
    return undefined
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    return error.index === messages.length ? undefined : error
  }
}
