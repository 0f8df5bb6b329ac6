/** A table of ours in the kernel: made when it is absent, replaced when another version of podwire laid it out otherwise.
 *  Which layout a table has stands in its comment, as a hash. */

import { idOf } from '../netfilter/family.ts'
import type { Table } from '../netfilter/ruleset.ts'
import { renderCommands } from '../netfilter/text.ts'
import { createTable, deleteTable, setSpec } from '../netfilter/transaction.ts'
import { ENOENT, NetlinkError } from '../netlink/error.ts'
import type { Message } from '../netlink/message.ts'
import type { SetSpec } from '../netlink/nftables.ts'
import { decodeTable, dumpSets, getTable, readGeneration, type TableDump } from '../netlink/nftables-dump.ts'
import { dumpElements, type ElementSpec, newElements } from '../netlink/nftables-element.ts'
import { decodeComment } from '../netlink/nftables-userdata.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import { hashOf } from './owner.ts'

const HASH_LENGTH = 16

/** The hash of everything in a table but `layout`. */
export const layoutOf = ({ layout: _, ...table }: Table): string => hashOf(HASH_LENGTH, JSON.stringify(table))

/** The comment that says a table's layout. Where the table states it, its chains are not looked at. */
const layoutComment = (table: Table): string =>
  `${table.comment ?? 'podwire'}, layout ${table.layout ?? layoutOf(table)}`

/** `table` with the comment that says its layout. */
export const withLayout = (table: Table): Table => ({ ...table, comment: layoutComment(table) })

/** A table as the kernel shows it; undefined when there is none. @throws NetlinkError */
export const readTable = (socket: NetlinkSocket, table: Pick<Table, 'family' | 'name'>): TableDump | undefined => {
  const [reply] = socket.exchange([getTable(idOf(table))])
  if (reply?.errno === ENOENT) return undefined
  if (reply === undefined || reply.errno !== 0)
    throw new NetlinkError(`nft list table ${table.family} ${table.name}`, reply?.errno ?? 0, reply?.extack)
  return reply.messages[0] === undefined ? undefined : decodeTable(reply.messages[0])
}

/** The comment of a table; undefined when there is no table. @throws NetlinkError */
export const tableComment = (socket: NetlinkSocket, table: Pick<Table, 'family' | 'name'>): string | undefined => {
  const found = readTable(socket, table)
  return found === undefined ? undefined : decodeComment(found.userdata)
}

/** What has to be sent before elements can be added: nothing, the table, or the table in place of the one that is there. */
export interface Preparation {
  readonly messages: readonly Message[]
  /** The transaction only holds for this generation: it replaces what was read. */
  readonly generation?: number
}

const compareKeys = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0)
  return 0
}
/** In ascending order, the end of an interval before a beginning at the same key: the only order in which intervals can
 *  be added again. */
export const inOrder = (elements: readonly ElementSpec[]): ElementSpec[] =>
  elements.toSorted((a, b) => compareKeys(a.key, b.key) || (b.flags ?? 0) - (a.flags ?? 0))

const isSameKind = (a: SetSpec, b: SetSpec): boolean =>
  a.flags === b.flags && a.keyType === b.keyType && a.keyLength === b.keyLength && a.dataType === b.dataType

/** The order in which elements can be added again. Ranges of a concatenation may overlap only when the inner one, which
 *  begins no earlier, comes first (net/netfilter/nft_set_pipapo.c, nft_pipapo_insert). */
const forReplay = (elements: readonly ElementSpec[]): ElementSpec[] =>
  elements.some(({ keyEnd }) => keyEnd !== undefined) ? inOrder(elements).toReversed() : inOrder(elements)

/** Elements of the sets that the new layout has too, with the same types. */
const keptElements = (socket: NetlinkSocket, table: Table): Message[] => {
  const id = idOf(table)
  const wanted = new Map(table.sets.map((set) => [set.name, setSpec(set)]))
  return dumpSets(socket, id).flatMap((set) => {
    const same = wanted.get(set.name)
    return same !== undefined && isSameKind(same, set)
      ? newElements(id, set.name, forReplay(dumpElements(socket, id, set.name)))
      : []
  })
}

const replacement = (socket: NetlinkSocket, table: Table): Preparation => {
  const generation = readGeneration(socket)
  return { messages: [deleteTable(table), ...createTable(table), ...keptElements(socket, table)], generation }
}

/** Whether only the `nft` program can load the table: a user's own fragments are in it. */
export const isRaw = ({ chains }: Pick<Table, 'chains'>): boolean =>
  chains.some(({ rules }) => rules.some(({ statements }) => statements.some(({ kind }) => kind === 'raw')))

/** What brings `table`, with its layout as comment, into the kernel. A table that only `nft` can load is given to `loadText` at once;
 *  its name says its layout, so that none is ever replaced. @throws NetlinkError; whatever `loadText` throws */
export const prepareTable = (
  socket: NetlinkSocket,
  table: Table,
  loadText: (commands: string) => void,
): Preparation => {
  const comment = tableComment(socket, table)
  if (comment === layoutComment(table)) return { messages: [] }
  const wanted = withLayout(table)
  if (comment === undefined && !isRaw(wanted)) return { messages: createTable(wanted, true) }
  if (!isRaw(wanted)) return replacement(socket, wanted)
  try {
    loadText(renderCommands(wanted).join('\n').replace(/^add/, 'create'))
  } catch (error) {
    if (tableComment(socket, table) === undefined) throw error // else another process was faster
  }
  return { messages: [] }
}
