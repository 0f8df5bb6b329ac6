/** Leases as they change: everything as of one revision, then every change after it. A stream that breaks is taken up again
 *  where it broke, at the next endpoint; where etcd has forgotten what came between (compaction), or is not the etcd it was,
 *  everything is read again. */
import { type LeaseEvent, StoreError } from '../store.ts'
import type { EtcdClient, Line } from './client.ts'
import { detailsOf } from './connection.ts'
import { type Keys, leaseIn, leaseKeyIn } from './keys.ts'
import { EVENT_DELETE, type Header, type KeyValue, RANGE, type WatchResponse } from './messages.ts'

type Listener = (event: LeaseEvent) => void

/** A stream that lived this long was a good one, in ms. */
const LIFE = 5000

/** What is known up to where. */
interface Position {
  readonly cluster: bigint
  readonly term: bigint
  readonly revision: bigint
}

const positionOf = (header: Header | undefined): Position => ({
  cluster: header?.cluster_id ?? 0n,
  term: header?.raft_term ?? 0n,
  revision: header?.revision ?? 0n,
})

/** Whether the etcd that answers now cannot be the one that `position` is of, or was put back: its revisions say nothing. */
const isAnother = (now: Position, position: Position): boolean =>
  now.cluster !== position.cluster || now.term < position.term || now.revision < position.revision

const allOf = (keys: Keys, kvs: readonly KeyValue[]): LeaseEvent => {
  const found = kvs.map((kv) => leaseIn(keys, kv))
  return {
    kind: 'all',
    leases: found.flatMap((each) => (each.kind === 'lease' ? each.lease : [])),
    invalid: new Map(found.flatMap((each) => (each.kind === 'invalid' ? [[each.key, each.why]] : []))),
  }
}

type Change = WatchResponse['events'][number]
const changeOf = (keys: Keys, { type, kv }: Change): readonly LeaseEvent[] => {
  if (kv === undefined) return []
  if (type === EVENT_DELETE) return [{ kind: 'gone', key: leaseKeyIn(keys, kv.key) }]
  const found = leaseIn(keys, kv)
  return [found.kind === 'lease' ? { kind: 'set', lease: found.lease } : found]
}

/** How a stream ended: all must be read again, or it can be taken up at `position`. */
type End =
  | { readonly kind: 'stale' }
  | { readonly kind: 'broken'; readonly position: Position; readonly why: string; readonly wasGood: boolean }

interface Watching {
  readonly client: EtcdClient
  readonly keys: Keys
  readonly listener: Listener
  readonly signal: AbortSignal
  /** How long a stream may take to begin, in ms. */
  readonly patience: number
}

const list = async ({ client, keys, listener, signal }: Watching): Promise<Position> => {
  const request = { key: keys.subnets, range_end: keys.end }
  const { header, kvs } = await client.call(RANGE, request, `list "${keys.subnets}"`, signal)
  listener(allOf(keys, kvs))
  return positionOf(header)
}

/** The last revision that `response` completes: that of its last event; its header's may be ahead of events to come. */
const reached = ({ events, header }: WatchResponse, before: bigint): bigint => {
  const revision = events.length > 0 ? events.at(-1)?.kv?.mod_revision : header?.revision
  return revision !== undefined && revision > before ? revision : before
}

/** One stream over `line`, from `start` to its end. Rejects with what the listener throws. */
const follow = ({ keys, listener, signal, patience }: Watching, line: Line, start: Position): Promise<End> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    let position = start
    let isCreated = false
    const broken = (why: string): void =>
      finish({ kind: 'broken', position, why, wasGood: isCreated && performance.now() - began > LIFE })
    const begin = (response: WatchResponse): void => {
      isCreated = true
      clearTimeout(timer)
      if (isAnother(positionOf(response.header), position)) finish({ kind: 'stale' })
    }
    const take = (response: WatchResponse): void => {
      if (response.compact_revision > 0n) finish({ kind: 'stale' })
      else if (response.canceled) broken(response.cancel_reason || 'etcd cancelled the watch')
      else if (response.created) begin(response)
      else {
        for (const event of response.events) for (const change of changeOf(keys, event)) listener(change)
        position = { ...position, revision: reached(response, position.revision) }
      }
    }
    const received = (response: WatchResponse): void => {
      try {
        take(response)
      } catch (error) {
        finish({ kind: 'stale' }, () => reject(error))
      }
    }
    const stream = line.watch({ received, ended: (error) => broken(detailsOf(error)) })
    const finish = (end: End, settle = (): void => resolve(end)): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      stream.end()
      settle()
    }
    const abort = (): void => broken('aborted')
    const timer = setTimeout(() => broken(`no watch within ${patience / 1000} s`), patience)
    signal.addEventListener('abort', abort)
    const { subnets: key, end: range_end } = keys
    stream.send({
      create_request: { key, range_end, start_revision: start.revision + 1n, progress_notify: true },
    })
  })

const followOnce = async (watching: Watching, position: Position, isAnew: boolean): Promise<End> => {
  const line = await watching.client.line(isAnew, watching.signal)
  try {
    return await follow(watching, line, position)
  } finally {
    line.close()
  }
}

/** How often running what is known may turn out to be stale: once when etcd was compacted or put back. */
const STALE = 2

/** Until `signal` aborts. @throws StoreError when no endpoint gives a stream any more */
const run = async (watching: Watching): Promise<void> => {
  const { client, signal } = watching
  let position = await list(watching)
  for (let failures = 0, stale = 0; ; ) {
    const end = await followOnce(watching, position, failures > 0)
    if (signal.aborted) return
    if (end.kind === 'stale') {
      if (++stale > STALE) throw new StoreError('etcd forgets its revisions as soon as it has told them')
      position = await list(watching)
      continue
    }
    failures = end.wasGood ? 1 : failures + 1
    if (failures > client.endpoints.length) throw new StoreError(`the watch of etcd broke: ${end.why}`)
    if (end.wasGood) stale = 0
    position = end.position
  }
}

/** Tells all leases, and every change until `signal` aborts. @throws StoreError */
export const watchLeases = async (watching: Watching): Promise<void> => {
  try {
    await run(watching)
  } catch (error) {
    if (!watching.signal.aborted) throw error
  }
}
