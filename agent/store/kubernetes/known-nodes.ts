/** What is known of all Nodes: of each, its lease or why it has none that can be read. Nothing else of a Node is kept: an
 *  object of the API is 10 to 20 KB, most of it images. */
import { DecodeError } from '../../../addr/error.ts'
import type { Lease } from '../../../overlay/lease.ts'
import type { LeaseEvent } from '../store.ts'
import type { AnnotationNames } from './annotations.ts'
import { leaseOf, type NodeObject, tokenOf } from './node.ts'

interface Known {
  readonly token: string
  readonly lease?: Lease
  readonly why?: string
}

export interface KnownNodes {
  /** Takes note of a Node. Returns what has changed of its lease: nothing, for a node that reports its health. */
  readonly set: (node: NodeObject) => LeaseEvent | undefined
  readonly remove: (name: string) => LeaseEvent | undefined
  readonly all: () => LeaseEvent
}

const knownOf = (node: NodeObject, names: AnnotationNames, token: string): Known => {
  try {
    return { token, lease: leaseOf(node, names) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { token, why: error.message }
  }
}

const eventOf = (key: string, { lease, why = '' }: Known): LeaseEvent =>
  lease === undefined ? { kind: 'invalid', key, why } : { kind: 'set', lease }

export const openKnownNodes = (names: AnnotationNames): KnownNodes => {
  const known = new Map<string, Known>()
  const remove = (key: string): LeaseEvent | undefined => (known.delete(key) ? { kind: 'gone', key } : undefined)
  const set = (node: NodeObject): LeaseEvent | undefined => {
    const { name } = node.metadata
    const token = tokenOf(node, names)
    if (token === '') return remove(name)
    if (known.get(name)?.token === token) return undefined
    const now = knownOf(node, names, token)
    known.set(name, now)
    return eventOf(name, now)
  }
  const all = (): LeaseEvent => ({
    kind: 'all',
    leases: [...known.values()].flatMap(({ lease }) => lease ?? []),
    invalid: new Map([...known].flatMap(([name, { why }]) => (why === undefined ? [] : [[name, why]]))),
  })
  return { set, remove, all }
}
