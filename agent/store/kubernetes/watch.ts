/** Follows all Nodes: lists them once, then watches from there; goes on where it left off after the connection was lost, and
 *  lists again when the server does not know that place any more. Kubernetes API concepts, "Efficient detection of changes". */
import { DecodeError, quote } from '../../../addr/error.ts'
import { parseJsonText } from '../../../overlay/members.ts'
import { type LeaseEvent, StoreError } from '../store.ts'
import type { Access } from './access.ts'
import type { AnnotationNames } from './annotations.ts'
import type { KnownNodes } from './known-nodes.ts'
import { listNodes } from './list.ts'
import { type NodeObject, requireNode } from './node.ts'
import { askForLines, type Query, refused } from './request.ts'

/** Seconds after which the server ends a watch: this, and up to as much again, so that not all nodes come back at once. */
const TERM = 300
/** Ms without a byte: the server sends a bookmark every minute. */
const SILENCE = 150_000
/** A watch that ends sooner and has said nothing is not asked for again at once. */
const SHORTEST = 1000
const GONE = 410

export interface NodeWatch {
  /** `all` first, then every change, until `signal` aborts. @throws StoreError when the source is lost; called again, it
   *  goes on from there */
  readonly follow: (listener: (event: LeaseEvent) => void, signal: AbortSignal) => Promise<void>
}

export interface NodeWatchOptions {
  readonly access: () => Promise<Access>
  readonly names: AnnotationNames
  /** Ms. */
  readonly silence?: number
}

/** Up to where the Nodes are known. */
interface Place {
  readonly nodes: KnownNodes
  resourceVersion: string
}

interface WatchEvent {
  readonly type?: string
  readonly object?: unknown
}

const queryOf = ({ resourceVersion }: Place): Query => {
  const timeoutSeconds = String(TERM + Math.floor(Math.random() * TERM))
  const parameters = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds }
  return { method: 'GET', path: `/api/v1/nodes?${new URLSearchParams(parameters)}` }
}

const versionOf = (object: unknown): string | undefined =>
  (object as Partial<NodeObject> | undefined)?.metadata?.resourceVersion

/** Takes note of one event that is no error. Returns what it means for leases. @throws DecodeError */
const take = (place: Place, { type, object }: WatchEvent): LeaseEvent | undefined => {
  place.resourceVersion = versionOf(object) ?? place.resourceVersion
  if (type === 'BOOKMARK') return undefined
  const node = requireNode(object)
  return type === 'DELETED' ? place.nodes.remove(node.metadata.name) : place.nodes.set(node)
}

/** @throws StoreError for an error that is not about the place */
const isExpiry = ({ type, object }: WatchEvent): boolean => {
  if (type !== 'ERROR') return false
  const { code, message } = (object ?? {}) as { readonly code?: number; readonly message?: string }
  if (code === GONE) return true
  throw new StoreError(`the API server ends the watch of the nodes: ${message ?? quote(object)}`)
}

/** Why a watch ended: the server does not know what followed the place, or had it open for as long as it does. */
type End = 'expired' | 'over'

interface Hearing {
  readonly access: Access
  readonly silence: number
  readonly onOpen: () => void
  readonly tell: (event: LeaseEvent) => void
}

/** One watch, from `place` on. @throws StoreError when the connection is lost; DecodeError for what is no event */
const watchFrom = async (
  place: Place,
  { access, silence, onOpen, tell }: Hearing,
  signal: AbortSignal,
): Promise<End> => {
  const [query, started] = [queryOf(place), performance.now()]
  let [isExpired, lines] = [false, 0]
  const onLine = (line: string): boolean => {
    lines += 1
    const event = parseJsonText(line, 'watch of nodes') as WatchEvent
    isExpired = isExpiry(event)
    const news = isExpired ? undefined : take(place, event)
    if (news !== undefined) tell(news)
    return !isExpired
  }
  const refusal = await askForLines(access, query, { onOpen, onLine, silence }, signal)
  if (isExpired || refusal?.status === GONE) return 'expired'
  if (refusal !== undefined) throw refused(access, query, refusal)
  if (lines === 0 && performance.now() - started < SHORTEST)
    throw new StoreError(`${access.server} ends a watch of the nodes as soon as it begins`)
  return 'over'
}

export const openNodeWatch = ({ access: reach, names, silence = SILENCE }: NodeWatchOptions): NodeWatch => {
  let place: Place | undefined

  const follow = async (listener: (event: LeaseEvent) => void, signal: AbortSignal): Promise<void> => {
    const access = await reach()
    let isTold = false
    const tellAll = (nodes: KnownNodes): void => {
      isTold = true
      listener(nodes.all())
    }
    while (!signal.aborted) {
      if (place === undefined) {
        place = await listNodes(access, names, signal)
        tellAll(place.nodes)
      }
      const { nodes } = place
      // after a lost connection: not before the server answers again
      const onOpen = (): void => (isTold ? undefined : tellAll(nodes))
      if ((await watchFrom(place, { access, silence, onOpen, tell: listener }, signal)) === 'expired') place = undefined
    }
  }

  return {
    follow: async (listener, signal) => {
      try {
        await follow(listener, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof DecodeError)) throw error
        place = undefined
        throw new StoreError(error.message, { cause: error })
      }
    },
  }
}
