/** Taking attachments out of the nftables tables, whatever their keys, and with the last attachment to a bridge what the
 *  bridge has. */
import { type Cidr, hostCidr } from '../../addr/cidr.ts'
import { ipOf } from '../../addr/ip.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { deletionOf, type Entry, readEntries } from '../../kernel/nft-owned.ts'
import { isOvertaken, untilCurrent } from '../../kernel/nft-retry.ts'
import { tableComment } from '../../kernel/nft-table.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import { deleteTable } from '../../netfilter/transaction.ts'
import { type Message, readText } from '../../netlink/message.ts'
import { commit } from '../../netlink/nfnetlink.ts'
import { readGeneration } from '../../netlink/nftables-dump.ts'
import type { NetlinkSocket } from '../../netlink/socket.ts'
import { BRIDGE_TABLE, FIREWALL_TABLE, NAMES, POLICED, POLICIES, SHARED } from './table.ts'

const WHAT = 'nft table inet podwire-firewall'

/** The first interface name in an element's key. */
const bridgeOf = ({ specs }: Entry): string => readText(specs[0]?.key.subarray(0, 16))

const POLICY_LIST = Object.values(POLICIES)
/** The sets of attachments that keep an element of a bridge's set. */
const keepersOf = (set: string): string[] =>
  POLICY_LIST.filter(({ bridges }) => set === POLICED || set === bridges).map(({ attachments }) => attachments)

/** Elements of bridges that no attachment among `kept` is on any more. */
const idleOf = (entries: readonly Entry[], kept: readonly Entry[]): Entry[] =>
  entries
    .filter(({ comment }) => comment === SHARED)
    .filter(
      (entry) => !kept.some((other) => keepersOf(entry.set).includes(other.set) && bridgeOf(other) === bridgeOf(entry)),
    )

const messagesFor = (table: Table, entries: readonly Entry[], gone: readonly Entry[], andTable: boolean): Message[] =>
  andTable && gone.length === entries.length ? [deleteTable(table)] : deletionOf(table, gone)

const releaseOnce = (socket: NetlinkSocket, isGone: (owner: string) => boolean, andTable: boolean): void => {
  const generation = readGeneration(socket)
  const tables = [FIREWALL_TABLE, BRIDGE_TABLE].filter((table) => tableComment(socket, table) !== undefined)
  const read = tables.map((table) => ({ table, entries: readEntries(socket, table) }))
  const all = read.flatMap(({ entries }) => entries)
  const leaving = all.filter(({ comment }) => isGone(comment))
  const idle = idleOf(
    all,
    all.filter((entry) => !leaving.includes(entry)),
  )
  const gone = new Set([...leaving, ...idle])
  const messages = read.flatMap(({ table, entries }) =>
    messagesFor(
      table,
      entries,
      entries.filter((entry) => gone.has(entry)),
      andTable,
    ),
  )
  if (messages.length > 0) commit(socket, WHAT, messages, generation)
}

/** Removes the elements whose owner `isGone`; with `andTables` the tables when that leaves none, the administrator's
 *  included. @throws NetlinkError, CniError 11 */
export const releaseNftables = (kernel: Kernel, isGone: (owner: string) => boolean, andTables: boolean): void => {
  const socket = kernel.netfilter('node')
  untilCurrent(WHAT, isOvertaken, () => releaseOnce(socket, isGone, andTables))
}

/** Who put which address into a zone of firewalld. @throws NetlinkError */
export const zonedSources = (kernel: Kernel): { readonly owner: string; readonly source: Cidr }[] => {
  const sets: readonly string[] = Object.values(NAMES).map(({ zoned }) => zoned)
  return readEntries(kernel.netfilter('node'), FIREWALL_TABLE)
    .filter(({ set }) => sets.includes(set))
    .flatMap(({ comment, specs }) =>
      specs[0] === undefined ? [] : [{ owner: comment, source: hostCidr(ipOf(specs[0].key)) }],
    )
}
