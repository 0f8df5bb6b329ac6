/** What is known of a folder of leases, file by file: what was last told of each, and when it ends. Reads the one file it
 *  is asked to, however many there are. */
import { statSync } from 'node:fs'
import { type FolderEntry, hasExpired, keysIn, leasePath, readEntry } from '../../overlay/lease-folder.ts'
import type { LeaseEvent } from './store.ts'

/** A file that does not decode is looked at again after this long before it is called invalid: an editor may be about to
 *  write the rest. In ms. */
const SECOND_LOOK = 100
/** setTimeout's longest, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1

/** What was told last of a key; `stamp` is of the file as it was then. */
interface Known {
  readonly stamp: string
  readonly told: string
  readonly timer?: NodeJS.Timeout
}

export interface FolderView {
  /** Reads everything and tells `all`. @throws StoreError */
  readonly load: () => void
  /** Reads one file and tells what has changed. @throws StoreError */
  readonly refresh: (key: string) => void
  /** Refreshes the files whose inode, size or time of change is another. @throws StoreError */
  readonly rescan: () => void
  readonly close: () => void
}

/** '' when there is no such file. */
const stampOf = (path: string): string => {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
}

const GONE = ''
const wordsOf = (entry: FolderEntry | undefined): string => {
  if (entry === undefined || (entry.kind === 'lease' && hasExpired(entry, Date.now()))) return GONE
  return entry.kind === 'lease' ? `lease ${JSON.stringify(entry.lease)}` : `invalid ${entry.why}`
}

const eventOf = (key: string, entry: FolderEntry | undefined): LeaseEvent => {
  if (entry === undefined || wordsOf(entry) === GONE) return { kind: 'gone', key }
  return entry.kind === 'lease' ? { kind: 'set', lease: entry.lease } : { kind: 'invalid', key, why: entry.why }
}

const allOf = (entries: readonly FolderEntry[]): LeaseEvent => ({
  kind: 'all',
  leases: entries.flatMap((entry) => (entry.kind === 'lease' ? entry.lease : [])),
  invalid: new Map(entries.flatMap((entry) => (entry.kind === 'invalid' ? [[entry.key, entry.why]] : []))),
})

/** Milliseconds until the lease ends; undefined when it does not. */
const untilEnd = (entry: FolderEntry | undefined): number | undefined =>
  entry?.kind !== 'lease' || entry.expires === undefined || hasExpired(entry, Date.now())
    ? undefined
    : entry.expires - Date.now()

/** `guard` runs what a timer calls, and takes its errors. */
export const openView = (
  folder: string,
  tell: (event: LeaseEvent) => void,
  guard: (act: () => void) => void,
): FolderView => {
  const known = new Map<string, Known>()

  const later = (key: string, ms: number, isSecondLook: boolean): { readonly timer: NodeJS.Timeout } => ({
    timer: setTimeout(() => guard(() => refresh(key, isSecondLook)), Math.min(ms, LONGEST_TIMER)),
  })

  const forget = (key: string): void => {
    clearTimeout(known.get(key)?.timer)
    known.delete(key)
  }

  const remember = (key: string, entry: FolderEntry | undefined, stamp: string): void => {
    forget(key)
    const end = untilEnd(entry)
    if (entry !== undefined)
      known.set(key, { stamp, told: wordsOf(entry), ...(end === undefined ? {} : later(key, end, false)) })
  }

  const toldOf = (key: string): string => known.get(key)?.told ?? GONE

  /** The second look finds out whether it stays invalid; until then the file counts as it was. */
  const awaitRest = (key: string): void => {
    const told = toldOf(key)
    forget(key)
    known.set(key, { stamp: '', told, ...later(key, SECOND_LOOK, true) })
  }

  const refresh = (key: string, isSecondLook: boolean): void => {
    const stamp = stampOf(leasePath(folder, key))
    const entry = readEntry(folder, key)
    const isNews = wordsOf(entry) !== toldOf(key)
    if (isNews && entry?.kind === 'invalid' && !isSecondLook) awaitRest(key)
    else remember(key, entry, stamp)
    if (isNews && toldOf(key) === wordsOf(entry)) tell(eventOf(key, entry))
  }

  const loadOne = (key: string): readonly FolderEntry[] => {
    const stamp = stampOf(leasePath(folder, key))
    const entry = readEntry(folder, key)
    remember(key, entry, stamp)
    return entry === undefined || wordsOf(entry) === GONE ? [] : [entry]
  }

  return {
    load: () => tell(allOf(keysIn(folder).flatMap(loadOne))),
    refresh: (key) => refresh(key, false),
    rescan: () => {
      const stale = (key: string): boolean => stampOf(leasePath(folder, key)) !== known.get(key)?.stamp
      for (const key of new Set([...known.keys(), ...keysIn(folder)])) if (stale(key)) refresh(key, false)
    },
    close: () => {
      for (const key of [...known.keys()]) forget(key)
    },
  }
}
