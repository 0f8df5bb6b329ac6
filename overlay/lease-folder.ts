/** Leases as a folder: `config.json` is the network configuration, `subnets/<key>.json` a lease: flannel's value in etcd,
 *  and `Expiration` (RFC 3339) when it ends by itself. One without is a reservation: it stays, and is what a person writes.
 *  A lease whose time has passed is none, whether its file is there or not.
 *
 *  A file appears whole or not at all, and never in the place of another's: it is written beside, flushed, and then linked
 *  (new) or renamed (in place of what was read under the lock). */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { DecodeError, quote } from '../addr/error.ts'
import type { OwnLease } from './claim.ts'
import { codeOf, folderError } from './folder-error.ts'
import { linkFile, removeFile, replaceFile } from './folder-file.ts'
import { decodeLease, leaseValue } from './lease-value.ts'
import { parseJsonText } from './members.ts'
import { StoreError } from './store-error.ts'

const SUFFIX = '.json'

export const configPath = (folder: string): string => `${folder}/config.json`
export const subnetsFolder = (folder: string): string => `${folder}/subnets`
export const leasePath = (folder: string, key: string): string => `${subnetsFolder(folder)}/${key}${SUFFIX}`

/** The key that a file of `subnets` is named by; undefined for drafts, what editors leave, and everything else that is no
 *  lease's name. */
export const keyOfFile = (name: string): string | undefined =>
  name.endsWith(SUFFIX) && !name.startsWith('.') ? name.slice(0, -SUFFIX.length) : undefined

/** What a file of `subnets` holds. */
export type FolderEntry =
  | ({ readonly kind: 'lease'; readonly key: string } & OwnLease)
  | { readonly kind: 'invalid'; readonly key: string; readonly why: string }

/** The text of the network configuration. @throws StoreError */
export const readNetConfText = (folder: string): string => {
  try {
    return readFileSync(configPath(folder), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT')
      throw new StoreError(`there is no ${quote(configPath(folder))}: write the network configuration there`, {
        cause: error,
      })
    throw folderError(configPath(folder), 'read', error)
  }
}

/** RFC 3339 §5.6: a date, a time, and a zone. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

/** Milliseconds since the epoch; undefined when the lease never ends. @throws DecodeError */
const expirationOf = (value: unknown): number | undefined => {
  const { Expiration: written } = Object(value) as { readonly Expiration?: unknown }
  if (written === undefined || written === null) return undefined
  const time = typeof written === 'string' && TIMESTAMP.test(written) ? Date.parse(written) : Number.NaN
  if (Number.isNaN(time))
    throw new DecodeError('$.Expiration', `${quote(written)} is no time such as "2026-11-21T10:00:00Z"`)
  return time
}

/** What a file holds that is named for `key`. Never throws. */
export const decodeEntry = (folder: string, key: string, text: string): FolderEntry => {
  try {
    const value = parseJsonText(text, '$')
    const expires = expirationOf(value)
    return { kind: 'lease', key, lease: decodeLease(key, value), ...(expires === undefined ? {} : { expires }) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { kind: 'invalid', key, why: `${leasePath(folder, key)}: ${why}` }
  }
}

/** What the file of `key` holds; undefined when there is none. One that cannot be read is invalid.
 *  @throws StoreError when the folder itself cannot be read */
export const readEntry = (folder: string, key: string): FolderEntry | undefined => {
  const path = leasePath(folder, key)
  try {
    return decodeEntry(folder, key, readFileSync(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (['EACCES', 'EPERM', 'EISDIR', 'ELOOP'].includes(codeOf(error)))
      return { kind: 'invalid', key, why: folderError(path, 'read', error).message }
    throw folderError(path, 'read', error)
  }
}

export const hasExpired = ({ expires }: { readonly expires?: number }, now: number): boolean =>
  expires !== undefined && expires <= now

/** The keys of all files of `subnets`. @throws StoreError */
export const keysIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(subnetsFolder(folder)).flatMap((name) => keyOfFile(name) ?? [])
  } catch (error) {
    throw folderError(subnetsFolder(folder), 'read', error)
  }
}

/** Everything in `subnets`, leases whose time has passed included. @throws StoreError */
export const readEntries = (folder: string): readonly FolderEntry[] =>
  keysIn(folder).flatMap((key) => readEntry(folder, key) ?? [])

const fileTextOf = ({ lease, expires }: OwnLease): string => {
  const end = expires === undefined ? {} : { Expiration: new Date(expires).toISOString() }
  return `${JSON.stringify({ ...leaseValue(lease), ...end })}\n`
}

/** Makes `subnets` where it is missing. @throws StoreError */
export const makeFolder = (folder: string): void => {
  const path = subnetsFolder(folder)
  try {
    const isThere = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
    if (!isThere) mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw folderError(path, 'make', error)
  }
}

/** Writes the file of a lease that has none. False when there is one: nothing is changed then. @throws StoreError */
export const createEntry = (folder: string, own: OwnLease): boolean =>
  linkFile(subnetsFolder(folder), leasePath(folder, own.lease.key), fileTextOf(own))

/** Writes the file of a lease in place of what it holds. Hold the folder's lock and have read it. @throws StoreError */
export const replaceEntry = (folder: string, own: OwnLease): void =>
  replaceFile(subnetsFolder(folder), leasePath(folder, own.lease.key), fileTextOf(own))

/** Removes the file of a lease; absent is fine. Hold the folder's lock and have read it. @throws StoreError */
export const removeEntry = (folder: string, key: string): void => removeFile(leasePath(folder, key))
