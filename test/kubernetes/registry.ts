/** Nodes with a history, as the API server's storage has them: one counter of versions for all, every change an event, and
 *  what is compacted is forgotten. */
import type { Condition, NodeObject } from './node-object.ts'

export interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: NodeObject
}

/** A merge patch of what an agent may change. */
export interface NodePatch {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> }
  readonly spec?: NodeObject['spec']
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface Registry {
  readonly version: () => number
  readonly get: (name: string) => NodeObject | undefined
  /** By name. */
  readonly all: () => readonly NodeObject[]
  /** As `all` was when it was asked for at `version`; undefined when that is forgotten. */
  readonly at: (version: number) => readonly NodeObject[] | undefined
  readonly put: (node: NodeObject) => NodeObject
  /** Undefined when there is no such node. */
  readonly patch: (name: string, patch: NodePatch) => NodeObject | undefined
  readonly remove: (name: string) => void
  /** Something else was written: versions go on. */
  readonly tick: () => void
  /** Forgets all history. */
  readonly compact: () => void
  /** Undefined when part of it is forgotten. */
  readonly since: (version: number) => readonly Change[] | undefined
  /** Returns a function that ends it. */
  readonly subscribe: (listener: (change: Change) => void) => () => void
}

const merged = (
  before: Readonly<Record<string, string>> = {},
  patch: Readonly<Record<string, string | null>> = {},
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries({ ...before, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null),
  )

/** Strategic merge: a list of conditions is merged by their type. */
const mergedConditions = (
  before: readonly Condition[] = [],
  patch: readonly Condition[] = [],
): readonly Condition[] => [
  ...before.filter(({ type }) => patch.every((condition) => condition.type !== type)),
  ...patch,
]

const patched = (node: NodeObject, { metadata, spec, status }: NodePatch): NodeObject => ({
  ...node,
  metadata: { ...node.metadata, annotations: merged(node.metadata.annotations, metadata?.annotations) },
  spec: spec ?? node.spec,
  ...(status === undefined
    ? {}
    : { status: { ...node.status, conditions: mergedConditions(node.status?.conditions, status.conditions) } }),
})

export const openRegistry = (): Registry => {
  const nodes = new Map<string, NodeObject>()
  const listeners = new Set<(change: Change) => void>()
  const states = new Map<number, readonly NodeObject[]>()
  let [history, version, oldest]: [Change[], number, number] = [[], 1000, 1000]

  const record = (type: Change['type'], node: NodeObject): NodeObject => {
    version += 1
    const object = { ...node, metadata: { ...node.metadata, resourceVersion: String(version) } }
    if (type === 'DELETED') nodes.delete(node.metadata.name)
    else nodes.set(node.metadata.name, object)
    const change = { version, type, object }
    history.push(change)
    for (const listener of listeners) listener(change)
    return object
  }
  const put = (node: NodeObject): NodeObject => record(nodes.has(node.metadata.name) ? 'MODIFIED' : 'ADDED', node)
  return {
    version: () => version,
    get: (name) => nodes.get(name),
    all: () => {
      const all = [...nodes.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      states.set(version, all)
      return all
    },
    at: (asked) => (asked < oldest ? undefined : states.get(asked)),
    put,
    patch: (name, patch) => {
      const node = nodes.get(name)
      return node === undefined ? undefined : put(patched(node, patch))
    },
    remove: (name) => {
      const node = nodes.get(name)
      if (node !== undefined) record('DELETED', node)
    },
    tick: () => {
      version += 1
    },
    compact: () => {
      version += 1
      ;[history, oldest] = [[], version]
    },
    since: (from) => (from < oldest ? undefined : history.filter((change) => change.version > from)),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
