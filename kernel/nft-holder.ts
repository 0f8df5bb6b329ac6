/** Who holds an element: the comment of what the kernel has under its key. */

import { idOf } from '../netfilter/family.ts'
import type { Element, Table } from '../netfilter/ruleset.ts'
import { elementSpecs } from '../netfilter/transaction.ts'
import { ENOENT, NetlinkError } from '../netlink/error.ts'
import type { Message } from '../netlink/message.ts'
import { decodeGeneration, getGeneration } from '../netlink/nftables-dump.ts'
import { decodeElements, type ElementSpec, getElement } from '../netlink/nftables-element.ts'
import type { NetlinkSocket, Reply } from '../netlink/socket.ts'

/** An element of a named set. */
export interface NftElement extends Element {
  readonly set: string
  /** What the key is to the user, for messages: `host port 8080/tcp`. */
  readonly label?: string
  /** Left to another attachment of the same container that holds the key already. */
  readonly yields?: true
}

/** What the kernel has under an element's key. */
export interface Holding {
  readonly element: NftElement
  /** `same`: this very element; `other data`: its owner's, leading elsewhere; `sibling`: of another attachment of the same
   *  container, to which the element yields; `foreign`: another owner's. */
  readonly state: 'absent' | 'same' | 'other data' | 'sibling' | 'foreign'
  /** The holder's comment. */
  readonly holder: string
}

const isEqual = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]))

const isSameData = (a: ElementSpec['data'], b: ElementSpec['data']): boolean => {
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && isEqual(a, b)
  return a?.code === b?.code && a?.chain === b?.chain
}

/** The container's part of a comment that `commentOf` made. */
const containerOf = (comment = ''): string => comment.split('/')[1] ?? ''

const stateOf = (wanted: ElementSpec, found: ElementSpec | undefined, yields: boolean): Holding['state'] => {
  if (found === undefined) return 'absent'
  const isSameKey = isEqual(found.key, wanted.key) && isEqual(found.keyEnd, wanted.keyEnd)
  if (isSameKey && (found.comment ?? '') === (wanted.comment ?? ''))
    return isSameData(found.data, wanted.data) ? 'same' : 'other data'
  return yields && containerOf(found.comment) === containerOf(wanted.comment) ? 'sibling' : 'foreign'
}

const first = (table: Table, element: NftElement): ElementSpec => {
  const [spec] = elementSpecs(table, element.set, [element])
  return spec ?? { key: new Uint8Array(0) }
}

const foundIn = (reply: Reply | undefined, operation: string): ElementSpec | undefined => {
  if (reply === undefined || reply.errno === ENOENT) return undefined
  if (reply.errno !== 0) throw new NetlinkError(operation, reply.errno, reply.extack)
  return reply.messages[0] === undefined ? undefined : decodeElements(reply.messages[0])[0]
}

/** Looks every element up by its key, in one exchange; an absent table or set holds nothing. The generation is that from
 *  before the look-up. @throws NetlinkError */
export const readHoldings = (
  socket: NetlinkSocket,
  table: Table,
  elements: readonly NftElement[],
): { readonly generation: number; readonly holdings: readonly Holding[] } => {
  const wanted = elements.map((element) => first(table, element))
  const requests: Message[] = wanted.map((spec, i) => getElement(idOf(table), elements[i]?.set ?? '', spec))
  const [generation, ...replies] = socket.exchange([getGeneration, ...requests])
  const holdings = elements.map((element, i): Holding => {
    const found = foundIn(replies[i], `nft get element ${table.family} ${table.name} ${element.set}`)
    const spec = wanted[i]
    return {
      element,
      state: spec === undefined ? 'absent' : stateOf(spec, found, element.yields === true),
      holder: found?.comment ?? '',
    }
  })
  return { generation: decodeGeneration(generation?.messages ?? []), holdings }
}
