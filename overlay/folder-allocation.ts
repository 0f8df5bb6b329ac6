/** This node's lease in a folder, taken and renewed under the folder's lock: whoever asks at the same time, on this node or
 *  by a shared file system, gets another subnet. A lease that has nothing to change is not written, so that a fleet whose
 *  files come from elsewhere may have them read-only. */
import { readdirSync } from 'node:fs'
import { quote } from '../addr/error.ts'
import {
  type Creation,
  choose,
  type Holdings,
  LEASE_TERM,
  leaseOf,
  lostRaces,
  RACE_RETRIES,
  type Update,
} from './allocation.ts'
import { type Claim, isOwn, isStillOwn, type OwnLease } from './claim.ts'
import { isDraft, removeFile } from './folder-file.ts'
import { withFolderLock } from './folder-lock.ts'
import type { Lease } from './lease.ts'
import {
  createEntry,
  hasExpired,
  leasePath,
  makeFolder,
  readEntries,
  readEntry,
  removeEntry,
  replaceEntry,
  subnetsFolder,
} from './lease-folder.ts'
import { leaseValue } from './lease-value.ts'
import type { NetConf } from './net-conf.ts'
import { LeaseLost } from './store-error.ts'

const holdingsOf = (folder: string, now: number): Holdings => {
  const entries = readEntries(folder)
  return {
    leases: entries
      .filter((entry) => entry.kind === 'lease')
      .filter((entry) => !hasExpired(entry, now))
      .map(({ lease, expires }) => ({ lease, reserved: expires === undefined })),
    invalid: entries.filter(({ kind }) => kind === 'invalid').map(({ key }) => key),
  }
}

const isSame = (a: Lease, b: Lease): boolean =>
  a.key === b.key && JSON.stringify(leaseValue(a)) === JSON.stringify(leaseValue(b))

/** Whether the file stays as it is. */
const isIdle = ({ held, lease }: Update): boolean => held.reserved && isSame(held.lease, lease)

/** A lease that never ends keeps none. */
const update = (folder: string, choice: Update, now: number): OwnLease => {
  const { held, lease } = choice
  const own = held.reserved ? { lease } : { lease, expires: now + LEASE_TERM }
  if (!isIdle(choice)) replaceEntry(folder, own)
  return own
}

/** A file of a lease that has ended is replaced by that of its next holder. Undefined when a writer that takes no lock was
 *  faster. */
const create = (folder: string, { stale, lease }: Creation, now: number): OwnLease | undefined => {
  for (const each of stale) removeEntry(folder, each.lease.key)
  const own = { lease, expires: now + LEASE_TERM }
  if (createEntry(folder, own)) return own
  const entry = readEntry(folder, lease.key)
  if (entry?.kind !== 'lease' || !hasExpired(entry, now)) return undefined
  replaceEntry(folder, own)
  return own
}

/** Drafts of writers that were killed: nobody else writes while the lock is held. */
const sweepDrafts = (folder: string): void => {
  for (const name of readdirSync(subnetsFolder(folder)))
    if (isDraft(name)) removeFile(`${subnetsFolder(folder)}/${name}`)
}

const acquireLocked = (folder: string, claim: Claim, conf: NetConf, now: number): OwnLease => {
  sweepDrafts(folder)
  for (let tries = 0; tries < RACE_RETRIES; tries++) {
    const choice = choose(claim, conf, holdingsOf(folder, now))
    const own = choice.kind === 'update' ? update(folder, choice, now) : create(folder, choice, now)
    if (own !== undefined) return own
  }
  throw lostRaces(RACE_RETRIES)
}

/** What is there already and needs no writing. */
const settled = (folder: string, claim: Claim, conf: NetConf, now: number): OwnLease | undefined => {
  const { leases, invalid } = holdingsOf(folder, now)
  if (!leases.some(({ lease }) => isOwn(lease, claim))) return undefined
  const choice = choose(claim, conf, { leases, invalid })
  return choice.kind === 'update' && isIdle(choice) ? { lease: choice.lease } : undefined
}

/** This node's lease: the one that names its public address, else the subnet before, else a new one. `now` is in
 *  milliseconds since the epoch. @throws StoreError */
export const acquireInFolder = (folder: string, claim: Claim, conf: NetConf, now = Date.now()): OwnLease => {
  makeFolder(folder)
  return settled(folder, claim, conf, now) ?? withFolderLock(folder, () => acquireLocked(folder, claim, conf, now))
}

/** The lease of `own` as its file has it. @throws LeaseLost when that is gone or another's */
const heldIn = (folder: string, own: OwnLease, claim: Claim): OwnLease => {
  const entry = readEntry(folder, own.lease.key)
  const path = quote(leasePath(folder, own.lease.key))
  if (entry === undefined) throw new LeaseLost(`the own lease ${path} has been removed`)
  if (entry.kind === 'invalid') throw new LeaseLost(`the own lease is one no more: ${entry.why}`)
  if (isStillOwn(entry.lease, own, claim)) return entry
  const holder = entry.lease.publicIP ?? entry.lease.publicIPv6 ?? 'nobody'
  throw new LeaseLost(`the own lease ${path} is now that of ${holder}`)
}

/** The lease for another term, and with what `claim` says now. @throws LeaseLost, StoreError */
export const renewInFolder = (folder: string, own: OwnLease, claim: Claim, now = Date.now()): OwnLease => {
  const renewal = (): Update => {
    const { lease, expires } = heldIn(folder, own, claim)
    const held = { lease, reserved: expires === undefined }
    return { kind: 'update', held, lease: leaseOf(claim, lease, lease.key) }
  }
  const first = renewal()
  return isIdle(first) ? { lease: first.lease } : withFolderLock(folder, () => update(folder, renewal(), now))
}
