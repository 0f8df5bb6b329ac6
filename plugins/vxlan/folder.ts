/** The store `file`: a folder that all nodes have, by a shared file system or because it is distributed to them. What this
 *  node takes there has no end: no agent is there to renew it. */
import { accessSync, constants } from 'node:fs'
import { DecodeError, quote } from '../../addr/error.ts'
import { type Choice, choose } from '../../overlay/allocation.ts'
import { type Claim, isOwn } from '../../overlay/claim.ts'
import { acquireInFolder } from '../../overlay/folder-allocation.ts'
import { folderError } from '../../overlay/folder-error.ts'
import { linkFile } from '../../overlay/folder-file.ts'
import { withFolderLock } from '../../overlay/folder-lock.ts'
import type { Lease } from '../../overlay/lease.ts'
import {
  configPath,
  type FolderEntry,
  hasExpired,
  makeFolder,
  readEntries,
  readEntry,
  readNetConfText,
  removeEntry,
  replaceEntry,
  subnetsFolder,
} from '../../overlay/lease-folder.ts'
import { leaseValue } from '../../overlay/lease-value.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import { requireSame } from './agreement.ts'
import { type GivenNetConf, requireVxlan } from './conf.ts'
import type { Fleet } from './plan.ts'

const isPresent = (path: string): boolean => {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}

/** @throws DecodeError at the file; StoreError */
const storedNetConf = (dir: string): NetConf => {
  const path = configPath(dir)
  try {
    const conf = parseNetConf(readNetConfText(dir))
    requireVxlan(conf, '$')
    return conf
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DecodeError(`${path} ${error.path}`, error.problem, { cause: error })
  }
}

/** The network configuration: the store's, and the given one where the store has none yet. @throws StoreError; DecodeError
 *  when either is wrong, or they differ */
export const netConfIn = (dir: string, given: GivenNetConf | undefined): NetConf => {
  if (given === undefined || isPresent(configPath(dir))) {
    const conf = storedNetConf(dir)
    if (given !== undefined) requireSame(quote(configPath(dir)), given.conf, conf)
    return conf
  }
  return given.conf
}

/** Writes the given configuration to a store that has none. Of several nodes that do so at once the first is right.
 *  @throws StoreError; DecodeError when another's differs */
export const settleNetConf = (dir: string, given: GivenNetConf | undefined): void => {
  if (given === undefined || isPresent(configPath(dir))) return
  makeFolder(dir)
  if (!linkFile(dir, configPath(dir), `${JSON.stringify(JSON.parse(given.text), null, 2)}\n`)) netConfIn(dir, given)
}

/** Everything in the store; nothing when it has no folder for leases yet. @throws StoreError */
const entriesIn = (dir: string): readonly FolderEntry[] => (isPresent(subnetsFolder(dir)) ? readEntries(dir) : [])

const now = (): number => Date.now()

const validIn = (entries: readonly FolderEntry[]): readonly Extract<FolderEntry, { kind: 'lease' }>[] =>
  entries.filter((entry) => entry.kind === 'lease').filter((entry) => !hasExpired(entry, now()))

const fleetOf = (entries: readonly FolderEntry[]): Fleet => ({
  leases: validIn(entries).map(({ lease }) => lease),
  invalid: new Map(entries.filter((entry) => entry.kind === 'invalid').map(({ key, why }) => [key, why])),
  anyLength: false,
})

/** This node's lease among those of all. */
export interface Holding {
  readonly own: Lease
  /** It was taken by this call, or is not taken yet. */
  readonly isNew: boolean
  readonly fleet: Fleet
}

const choiceIn = (entries: readonly FolderEntry[], claim: Claim, conf: NetConf): Choice => {
  const invalid = entries.filter(({ kind }) => kind === 'invalid').map(({ key }) => key)
  const leases = validIn(entries).map(({ lease, expires }) => ({ lease, reserved: expires === undefined }))
  return choose(claim, conf, { leases, invalid }, () => 0)
}

const isSame = (a: Lease, b: Lease): boolean => JSON.stringify(leaseValue(a)) === JSON.stringify(leaseValue(b))

/** Whether the node has a lease without an end that says what it would say now: most often, and then one look at the folder
 *  does. */
const isSettled = (choice: Choice): boolean =>
  choice.kind === 'update' && choice.held.reserved && isSame(choice.held.lease, choice.lease)

const keepForever = (dir: string, claim: Claim, lease: Lease): void =>
  withFolderLock(dir, () => {
    const entry = readEntry(dir, lease.key)
    if (entry?.kind === 'lease' && isOwn(entry.lease, claim)) replaceEntry(dir, { lease })
  })

/** This node's lease, taken when it has none. @throws StoreError */
export const takeIn = (dir: string, claim: Claim, conf: NetConf): Holding => {
  const entries = entriesIn(dir)
  const isHeld = validIn(entries).some(({ lease }) => isOwn(lease, claim))
  const choice = isHeld ? choiceIn(entries, claim, conf) : undefined
  if (choice !== undefined && isSettled(choice)) return { own: choice.lease, isNew: false, fleet: fleetOf(entries) }
  const { lease, expires } = acquireInFolder(dir, claim, conf)
  if (expires !== undefined) keepForever(dir, claim, lease)
  return { own: lease, isNew: !isHeld, fleet: fleetOf(entriesIn(dir)) }
}

/** This node's lease, or the one that it would take now; nothing is written. @throws StoreError when none could be taken */
export const wouldTakeIn = (dir: string, claim: Claim, conf: NetConf): Holding => {
  const entries = entriesIn(dir)
  const { kind, lease } = choiceIn(entries, claim, conf)
  if (kind === 'create') requireWritable(dir)
  return { own: lease, isNew: kind === 'create', fleet: fleetOf(entries) }
}

/** The deepest part of `path` that exists. */
const existingPartOf = (path: string): string =>
  isPresent(path) || !path.includes('/') ? path || '/' : existingPartOf(path.slice(0, path.lastIndexOf('/')))

const requireWritable = (dir: string): void => {
  const path = existingPartOf(subnetsFolder(dir))
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw folderError(path, 'write', error)
  }
}

/** Gives a lease back that this call took. @throws StoreError */
export const releaseIn = (dir: string, claim: Claim, { key }: Lease): void =>
  withFolderLock(dir, () => {
    const entry = readEntry(dir, key)
    if (entry?.kind === 'lease' && isOwn(entry.lease, claim)) removeEntry(dir, key)
  })
