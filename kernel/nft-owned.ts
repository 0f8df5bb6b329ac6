/** Elements found by their owner instead of their key: for DEL that does not know the keys, and for GC. Reads the table that
 *  is there, whichever version of podwire made it. */
import { idOf } from '../netfilter/family.ts'
import type { Table } from '../netfilter/ruleset.ts'
import { deleteTable } from '../netfilter/transaction.ts'
import { isNotFound } from '../netlink/error.ts'
import type { Message } from '../netlink/message.ts'
import { commit } from '../netlink/nfnetlink.ts'
import { dumpSets, dumpTables, readGeneration } from '../netlink/nftables-dump.ts'
import { delElements, dumpElements, type ElementSpec } from '../netlink/nftables-element.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import type { Kernel } from './kernel.ts'
import { isOvertaken, untilCurrent } from './nft-retry.ts'
import { inOrder, tableComment } from './nft-table.ts'
import { commentOf, networkPrefix, type Owner } from './owner.ts'
import type { Ns } from './plan.ts'

export type TableName = Pick<Table, 'family' | 'name'>

/** One entry of a set: an element, with the end of its interval when it has one of its own. */
export interface Entry {
  readonly set: string
  readonly comment: string
  readonly specs: readonly ElementSpec[]
}

const INTERVAL_END = 1
const isEnd = ({ flags = 0 }: ElementSpec): boolean => (flags & INTERVAL_END) !== 0

/** Ends of intervals joined to their beginnings. */
const entriesOf = (set: string, elements: readonly ElementSpec[]): Entry[] => {
  const sorted = inOrder(elements)
  return sorted.flatMap((spec, i) => {
    if (isEnd(spec)) return []
    const next = sorted[i + 1]
    return [{ set, comment: spec.comment ?? '', specs: next !== undefined && isEnd(next) ? [spec, next] : [spec] }]
  })
}

/** Every entry of every set of the table; none when there is no such table. @throws NetlinkError */
export const readEntries = (socket: NetlinkSocket, table: TableName): Entry[] => {
  const id = idOf(table)
  try {
    return dumpSets(socket, id).flatMap(({ name }) => entriesOf(name, dumpElements(socket, id, name)))
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}

const keyOnly = ({ key, keyEnd, flags }: ElementSpec): ElementSpec => ({
  key,
  ...(keyEnd === undefined ? {} : { keyEnd }),
  ...(flags === undefined ? {} : { flags }),
})

/** Deletes `entries` of a table. */
export const deletionOf = (table: TableName, entries: readonly Entry[]): Message[] =>
  [...new Set(entries.map(({ set }) => set))].flatMap((set) =>
    delElements(
      idOf(table),
      set,
      entries.filter((entry) => entry.set === set).flatMap(({ specs }) => specs.map(keyOnly)),
    ),
  )

/** Comments of elements in a table that begin with `prefix`, each once. @throws NetlinkError */
export const ownersIn = (kernel: Kernel, ns: Ns, table: TableName, prefix: string): string[] => [
  ...new Set(
    readEntries(kernel.netfilter(ns), table)
      .map(({ comment }) => comment)
      .filter((comment) => comment.startsWith(prefix)),
  ),
]

/** Removes the elements whose comment `isGone` says to; with `andTable` the whole table when that leaves no element with an
 *  owner. All in one transaction that holds only for what was read. */
const removeOnce = (
  socket: NetlinkSocket,
  table: TableName,
  isGone: (comment: string) => boolean,
  andTable: boolean,
): readonly Entry[] => {
  const generation = readGeneration(socket)
  const entries = readEntries(socket, table)
  const gone = entries.filter(({ comment }) => isGone(comment))
  const isEmpty = entries.every(({ comment }) => comment === '' || isGone(comment))
  const messages = andTable && isEmpty ? [deleteTable(table)] : deletionOf(table, gone)
  if (messages.length > 0) commit(socket, `nft table ${table.family} ${table.name}`, messages, generation)
  return gone
}

const removeWhere = (
  socket: NetlinkSocket,
  table: TableName,
  isGone: (comment: string) => boolean,
  andTable: boolean,
): readonly Entry[] =>
  untilCurrent(`nft table ${table.family} ${table.name}`, isOvertaken, () =>
    tableComment(socket, table) === undefined ? [] : removeOnce(socket, table, isGone, andTable),
  )

/** Removes all elements of `owner` from a table, whatever their keys, and returns them. Absent is success.
 *  @throws NetlinkError, CniError 11 */
export const removeOwned = (kernel: Kernel, ns: Ns, table: TableName, owner: Owner): readonly Entry[] => {
  const comment = commentOf(owner)
  return removeWhere(kernel.netfilter(ns), table, (each) => each === comment, false)
}

/** GC: removes the elements of `network` whose owner is not in `valid`, and the table with them when no attachment of any
 *  network has an element in it any more. Returns what was removed. @throws NetlinkError, CniError 11 */
export const sweepNft = (
  kernel: Kernel,
  ns: Ns,
  table: TableName,
  network: string,
  valid: readonly { readonly containerID: string; readonly ifName: string }[],
): readonly Entry[] => {
  const prefix = networkPrefix(network)
  const kept = new Set(valid.map((attachment) => commentOf({ network, ...attachment })))
  return removeWhere(kernel.netfilter(ns), table, (comment) => comment.startsWith(prefix) && !kept.has(comment), true)
}

/** Names of the tables of a family that begin with `prefix`. @throws NetlinkError */
export const tablesNamed = (kernel: Kernel, ns: Ns, family: Table['family'], prefix: string): string[] =>
  dumpTables(kernel.netfilter(ns), idOf({ family, name: '' }).family)
    .map(({ name }) => name)
    .filter((name) => name.startsWith(prefix))
