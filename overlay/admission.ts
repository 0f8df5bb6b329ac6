/** Which leases are believed. One that cannot be right, or claims what an admitted one has, is rejected with a reason and
 *  never programmed; when what it waits for goes, it is looked at again. Of two that conflict the one admitted first stays;
 *  of leases that come together, as after a restart, the one whose key sorts first. The cost of a change does not depend on
 *  the number of leases. */
import { type ClaimBook, type Conflict, claimsOf, makeClaimBook } from './claims.ts'
import type { Lease } from './lease.ts'
import type { NetConf } from './net-conf.ts'
import { type AdmissionRules, makeObjection } from './objection.ts'

export type { AdmissionRules } from './objection.ts'

/** What one call changed. */
export interface AdmissionChange {
  /** Admitted now, or with new attributes. */
  readonly admitted: readonly Lease[]
  /** Keys of leases that were admitted and are not any more. */
  readonly withdrawn: readonly string[]
}

export interface Admission {
  /** A lease appeared or changed. The own one, known by its key, is neither admitted nor rejected. */
  readonly set: (lease: Lease) => AdmissionChange
  /** What is stored under `key` is no lease. */
  readonly invalid: (key: string, why: string) => AdmissionChange
  readonly remove: (key: string) => AdmissionChange
  /** All there is: whatever else was known is gone. */
  readonly all: (leases: readonly Lease[], invalid: ReadonlyMap<string, string>) => AdmissionChange
  readonly admitted: ReadonlyMap<string, Lease>
  /** Reasons by key. */
  readonly rejected: ReadonlyMap<string, string>
}

interface Waiting {
  readonly lease: Lease
  readonly holder: string
}

interface State {
  /** Key of the own lease. */
  readonly own: string
  /** Keys admitted before this admission was made, until it has been given all leases. */
  readonly earlier: Set<string>
  readonly objectionTo: (lease: Lease) => string | undefined
  readonly conf: NetConf
  readonly book: ClaimBook
  readonly admitted: Map<string, Lease>
  readonly rejected: Map<string, string>
  /** Leases rejected for a conflict, by their own key; and their keys by that of the lease they wait for. */
  readonly waiting: Map<string, Waiting>
  readonly waitersOf: Map<string, Set<string>>
}

const isSame = (a: Lease, b: Lease): boolean => JSON.stringify(a) === JSON.stringify(b)

const wait = ({ waiting, waitersOf, rejected }: State, lease: Lease, { holder, what }: Conflict): void => {
  rejected.set(lease.key, `its ${what} of the lease ${holder}, which came first`)
  waiting.set(lease.key, { lease, holder })
  waitersOf.set(holder, (waitersOf.get(holder) ?? new Set()).add(lease.key))
}

/** Forgets everything about `key`. Returns the keys that waited for it. */
const forget = (state: State, key: string): string[] => {
  const { admitted, book, conf, rejected, waiting, waitersOf } = state
  const lease = admitted.get(key)
  if (lease !== undefined) book.strike(claimsOf(conf, lease))
  admitted.delete(key)
  rejected.delete(key)
  const holder = waiting.get(key)?.holder
  waiting.delete(key)
  if (holder !== undefined) {
    const others = waitersOf.get(holder)
    others?.delete(key)
    if (others?.size === 0) waitersOf.delete(holder)
  }
  const waiters = [...(waitersOf.get(key) ?? [])]
  waitersOf.delete(key)
  return waiters.sort()
}

/** Admits or rejects a lease of which nothing is known. */
const judge = (state: State, lease: Lease): void => {
  const { own, objectionTo, book, conf, admitted, rejected } = state
  if (lease.key === own) return
  const objection = objectionTo(lease)
  if (objection !== undefined) {
    rejected.set(lease.key, objection)
    return
  }
  const claims = claimsOf(conf, lease)
  const conflict = book.conflictOf(claims)
  if (conflict !== undefined) {
    wait(state, lease, conflict)
    return
  }
  book.enter(claims, lease.key)
  admitted.set(lease.key, lease)
}

/** Looks at those again that waited, in the order of their keys. */
const reconsider = (state: State, keys: readonly string[]): void => {
  for (const key of keys) {
    const lease = state.waiting.get(key)?.lease
    if (lease === undefined) continue
    forget(state, key)
    judge(state, lease)
  }
}

const place = (state: State, lease: Lease): string[] => {
  const waiters = forget(state, lease.key)
  judge(state, lease)
  reconsider(state, waiters)
  return [lease.key, ...waiters]
}

const drop = (state: State, key: string): string[] => {
  const waiters = forget(state, key)
  reconsider(state, waiters)
  return [key, ...waiters]
}

/** What `keys` were and are. */
const changeOf = (state: State, before: ReadonlyMap<string, Lease>, keys: Iterable<string>): AdmissionChange => {
  const admitted: Lease[] = []
  const withdrawn: string[] = []
  for (const key of keys) {
    const [was, is] = [before.get(key), state.admitted.get(key)]
    if (is === undefined) {
      if (was !== undefined) withdrawn.push(key)
    } else if (was === undefined || !isSame(was, is)) admitted.push(is)
  }
  return { admitted, withdrawn }
}

const NOTHING: AdmissionChange = { admitted: [], withdrawn: [] }

/** Runs `run`, which returns the keys it touched: `key` and those that waited for it, none of which was admitted. */
const changing = (state: State, key: string, run: () => readonly string[]): AdmissionChange => {
  const was = state.admitted.get(key)
  return changeOf(state, was === undefined ? new Map() : new Map([[key, was]]), run())
}

const reject = (state: State, key: string, why: string): string[] => {
  const touched = drop(state, key)
  if (key !== state.own) state.rejected.set(key, why)
  return touched
}

/** Those admitted keep what they have; then the order of keys. */
const inOrder = (state: State, leases: readonly Lease[]): Lease[] => {
  const rank = ({ key }: Lease): number => (state.admitted.has(key) || state.earlier.has(key) ? 0 : 1)
  return leases.toSorted((a, b) => rank(a) - rank(b) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

const replaceAll = (state: State, leases: readonly Lease[], invalid: ReadonlyMap<string, string>): AdmissionChange => {
  const before = new Map(state.admitted)
  const present = new Set(leases.map(({ key }) => key))
  const known = new Set([...state.admitted.keys(), ...state.rejected.keys()])
  for (const key of known) if (!present.has(key)) drop(state, key)
  for (const lease of inOrder(state, leases)) place(state, lease)
  state.earlier.clear()
  for (const [key, why] of invalid) reject(state, key, why)
  return changeOf(state, before, new Set([...before.keys(), ...state.admitted.keys()]))
}

/** An admission that knows of no lease yet. When the node, its own lease or the configuration changes, a new one is made and
 *  given all leases; `earlier` are the keys that the one before had admitted, which came first. */
export const makeAdmission = (rules: AdmissionRules, earlier: Iterable<string> = []): Admission => {
  const state: State = {
    own: rules.node.own.key,
    earlier: new Set(earlier),
    objectionTo: makeObjection(rules),
    conf: rules.node.conf,
    book: makeClaimBook(),
    admitted: new Map(),
    rejected: new Map(),
    waiting: new Map(),
    waitersOf: new Map(),
  }
  return {
    set: (lease) => {
      const known = state.admitted.get(lease.key)
      if (known !== undefined && isSame(known, lease)) return NOTHING
      return changing(state, lease.key, () => place(state, lease))
    },
    invalid: (key, why) => changing(state, key, () => reject(state, key, why)),
    remove: (key) => changing(state, key, () => drop(state, key)),
    all: (leases, invalid) => replaceAll(state, leases, invalid),
    admitted: state.admitted,
    rejected: state.rejected,
  }
}
