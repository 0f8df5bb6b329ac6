/** Facts of nftables: a table of ours, and elements in its sets and maps that carry their owner as comment. The table is
 *  shared by all attachments; the elements are one attachment's. */
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import type { Table } from '../netfilter/ruleset.ts'
import { setOf } from '../netfilter/statement.ts'
import { renderAddElements, renderCommands, renderKey } from '../netfilter/text.ts'
import { addElements, deleteElements } from '../netfilter/transaction.ts'
import { isExists, NetlinkError } from '../netlink/error.ts'
import type { Message } from '../netlink/message.ts'
import { commit } from '../netlink/nfnetlink.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import type { Kernel } from './kernel.ts'
import { tableDrift } from './nft-drift.ts'
import { type Holding, type NftElement, readHoldings } from './nft-holder.ts'
import { loadText } from './nft-program.ts'
import { isOvertaken, untilCurrent } from './nft-retry.ts'
import { prepareTable, withLayout } from './nft-table.ts'
import type { Ns, Operations } from './plan.ts'

export type { NftElement } from './nft-holder.ts'

export interface NftFact {
  readonly kind: 'nft'
  readonly ns: Ns
  /** Structure alone; its own comment names it. */
  readonly table: Table
  readonly elements: readonly NftElement[]
}

const nameOf = ({ table }: NftFact): string => `nft table ${table.family} ${table.name}`

/** Elements by set, in the order in which the sets first occur. */
const bySet = (elements: readonly NftElement[]): ReadonlyMap<string, readonly NftElement[]> => {
  const sets = new Map<string, NftElement[]>()
  for (const element of elements) sets.set(element.set, [...(sets.get(element.set) ?? []), element])
  return sets
}

const adding = (table: Table, elements: readonly NftElement[], exclusive: boolean): Message[] =>
  [...bySet(elements)].flatMap(([set, list]) => addElements(table, set, list, exclusive))

const deleting = (table: Table, elements: readonly NftElement[]): Message[] =>
  [...bySet(elements)].flatMap(([set, list]) => deleteElements(table, set, list))

const labelOf = (table: Table, { label, set, key }: NftElement): string =>
  label ?? `element { ${renderKey(setOf(table, set), key)} } of ${set} in nft table ${table.family} ${table.name}`

const refuseForeign = (table: Table, holdings: readonly Holding[]): void => {
  const taken = holdings.filter(({ state }) => state === 'foreign')
  const [first] = taken
  if (first === undefined) return
  throw new CniError(
    ERR_CONFLICT,
    `${labelOf(table, first.element)} is held by ${first.holder === '' ? 'somebody who left no name' : first.holder}`,
    [
      ...taken.map((each) => `${labelOf(table, each.element)}: ${each.holder}`),
      'the name is network/container/interface; if that container is gone, "podwire gc" takes it back',
    ].join('\n'),
  )
}

/** Brings in what is not there of elements of which some are. Returns whether all were absent. */
const settle = (socket: NetlinkSocket, fact: NftFact): boolean => {
  const { table } = fact
  const { generation, holdings } = readHoldings(socket, table, fact.elements)
  refuseForeign(table, holdings)
  const of = (state: Holding['state']) => holdings.filter((each) => each.state === state).map(({ element }) => element)
  const [absent, outdated] = [of('absent'), of('other data')]
  const messages = [...deleting(table, outdated), ...adding(table, [...outdated, ...absent], true)]
  if (messages.length > 0) commit(socket, nameOf(fact), messages, generation)
  return absent.length === holdings.length
}

/** ENOTEMPTY: a concatenated interval overlaps one that is there. */
const ENOTEMPTY = 39
const isTaken = (error: unknown): boolean =>
  isExists(error) || (error instanceof NetlinkError && error.errno === ENOTEMPTY)

/** One attempt, in one transaction: the table if need be, and the elements. When only the elements were refused, they are
 *  looked at. */
const attempt = (kernel: Kernel, fact: NftFact): boolean => {
  const { table } = fact
  const socket = kernel.netfilter(fact.ns)
  const { messages, generation } = prepareTable(socket, table, (text) => loadText(kernel, fact.ns, text))
  const all = [...messages, ...adding(table, fact.elements, true)]
  if (all.length === 0) return false
  try {
    commit(socket, nameOf(fact), all, generation)
    return fact.elements.length > 0
  } catch (error) {
    const isElement = error instanceof NetlinkError && error.index >= messages.length
    if (!isTaken(error) || !isElement) throw error
    if (messages.length > 0) commit(socket, nameOf(fact), messages, generation)
    return settle(socket, fact)
  }
}

/** The table was made by another process between our look and our transaction, or what we looked at is gone. */
const isLost = (error: unknown): boolean => isOvertaken(error) || isExists(error)

const ensure = (fact: NftFact, kernel: Kernel): boolean =>
  untilCurrent(nameOf(fact), isLost, () => attempt(kernel, fact))

const removeOnce = (socket: NetlinkSocket, fact: NftFact): void => {
  const { generation, holdings } = readHoldings(socket, fact.table, fact.elements)
  const own = holdings.filter(({ state }) => state === 'same' || state === 'other data').map(({ element }) => element)
  if (own.length > 0) commit(socket, nameOf(fact), deleting(fact.table, own), generation)
}

const remove = (fact: NftFact, kernel: Kernel): void =>
  untilCurrent(nameOf(fact), isOvertaken, () => removeOnce(kernel.netfilter(fact.ns), fact))

const elementDrift = (table: Table, { state, element, holder }: Holding): string | undefined => {
  if (state === 'same' || state === 'sibling') return undefined
  const label = labelOf(table, element)
  if (state === 'absent') return `${label} is missing`
  return state === 'foreign' ? `${label} is held by ${holder}` : `${label} leads elsewhere`
}

const drift = (fact: NftFact, kernel: Kernel): string | undefined => {
  const socket = kernel.netfilter(fact.ns)
  const structure = tableDrift(socket, withLayout(fact.table))
  if (structure !== undefined) return structure
  const { holdings } = readHoldings(socket, fact.table, fact.elements)
  return holdings.map((holding) => elementDrift(fact.table, holding)).find((why) => why !== undefined)
}

const render = ({ table, elements }: NftFact): string =>
  [
    ...renderCommands(withLayout(table)),
    ...[...bySet(elements)].map(([set, list]) => renderAddElements(table, set, list)),
  ]
    .map((command) => `nft '${command.replaceAll("'", "'\\''")}'`)
    .join('\n')

export const nftOperations: Operations<NftFact> = { render, ensure, remove, drift }
