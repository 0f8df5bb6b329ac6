/** Fact: an nftables table of ours, all of it: what differs in any rule is drift, and mended by putting the table in place
 *  of what is there, in one transaction. For what is the node's as a whole; what pods share is `nft.ts`. */
import { idOf } from '../netfilter/family.ts'
import type { Table } from '../netfilter/ruleset.ts'
import { renderCommands } from '../netfilter/text.ts'
import { createTable, deleteTable } from '../netfilter/transaction.ts'
import { isNotFound, isUnsupported } from '../netlink/error.ts'
import { commit } from '../netlink/nfnetlink.ts'
import { dumpChains, dumpSets, readGeneration } from '../netlink/nftables-dump.ts'
import { decodeComment } from '../netlink/nftables-userdata.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import type { Kernel } from './kernel.ts'
import { tableDrift } from './nft-drift.ts'
import { isOvertaken, untilCurrent } from './nft-retry.ts'
import { readTable, withLayout } from './nft-table.ts'
import type { Ns, Operations } from './plan.ts'

export interface NftTableFact {
  readonly kind: 'nft-table'
  readonly ns: Ns
  /** Its own comment is replaced by one that says its layout. */
  readonly table: Table
}

const nameOf = ({ table }: NftTableFact): string => `nft table ${table.family} ${table.name}`

/** The first chain or set that is not ours. */
const stranger = (socket: NetlinkSocket, table: Table): string | undefined => {
  const id = idOf(table)
  const chain = dumpChains(socket, id).find(({ name }) => table.chains.every((own) => own.name !== name))
  if (chain !== undefined) return `chain ${chain.name}`
  const set = dumpSets(socket, id).find(({ name }) => table.sets.every((own) => own.name !== name))
  return set === undefined ? undefined : `set ${set.name}`
}

const drift = (fact: NftTableFact, kernel: Kernel): string | undefined => {
  const socket = kernel.netfilter(fact.ns)
  const wanted = withLayout(fact.table)
  const found = readTable(socket, wanted)
  if (found !== undefined && decodeComment(found.userdata) !== wanted.comment) return `${nameOf(fact)} has other rules`
  if (found?.dormant === true) return `${nameOf(fact)} is dormant`
  const why = tableDrift(socket, wanted)
  if (why !== undefined) return why
  const foreign = stranger(socket, wanted)
  return foreign === undefined ? undefined : `${nameOf(fact)} has the ${foreign} of somebody else`
}

/** The generation is that from before the look, so that nothing that changes meanwhile is overwritten unseen. */
const attempt = (fact: NftTableFact, kernel: Kernel): boolean => {
  const socket = kernel.netfilter(fact.ns)
  const generation = readGeneration(socket)
  if (drift(fact, kernel) === undefined) return false
  const isThere = readTable(socket, fact.table) !== undefined
  const messages = [...(isThere ? [deleteTable(fact.table)] : []), ...createTable(withLayout(fact.table), true)]
  commit(socket, nameOf(fact), messages, generation)
  return !isThere
}

const remove = (fact: NftTableFact, kernel: Kernel): void => {
  try {
    commit(kernel.netfilter(fact.ns), nameOf(fact), [deleteTable(fact.table)])
  } catch (error) {
    // a kernel without nftables has no table either
    if (!isNotFound(error) && !isUnsupported(error)) throw error
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
