/** Link attributes from before ADD, in files `<dataDir>/<containerID>_<ifName>.json` that upstream reads and writes too. Ours
 *  have one key more, `owner`, by which GC knows the network; upstream ignores it. */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { readMac } from '../../addr/mac.ts'
import type { AttachmentId } from '../../cni/plugin.ts'
import { runAll } from '../../cni/steps.ts'
import { commentOf, networkPrefix, type Owner } from '../../kernel/owner.ts'
import type { Attributes } from './conf.ts'

/** Both parts are checked when the call is read: no `/`, not `.` or `..`, together short enough for a file's name. */
const pathOf = (dataDir: string, { containerID, ifName }: AttachmentId): string =>
  `${dataDir}/${containerID}_${ifName}.json`
const draftOf = (path: string): string => `${path}.new`

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** The text of a file that is itself no symbolic link; undefined when there is none. */
const readText = (path: string): string | undefined => {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Written beside and renamed: never half a file, and never through a link somebody planted. */
const writeText = (path: string, text: string): void => {
  const draft = draftOf(path)
  rmSync(draft, { force: true })
  const fd = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, path)
}

type Members = Readonly<Record<string, unknown>>

/** The members of a backup; none when the text is not that of one. */
const membersOf = (text: string | undefined): Members => {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Members) : {}
  } catch {
    return {}
  }
}

const attributesIn = ({ mac, mtu, promisc, allmulti, txQLen }: Members): Attributes => {
  const address = typeof mac === 'string' ? readMac(mac) : undefined
  return {
    ...(address === undefined ? {} : { mac: address }),
    ...(typeof mtu === 'number' && mtu > 0 ? { mtu } : {}),
    ...(typeof promisc === 'boolean' ? { promisc } : {}),
    ...(typeof allmulti === 'boolean' ? { allmulti } : {}),
    ...(typeof txQLen === 'number' ? { txQLen } : {}),
  }
}

/** Keeps `attributes` for DEL. What a `tuning` earlier in the same list kept stays: it is the older state. Returns a
 *  function that puts the file back as it was. @throws the file system's errors */
export const writeBackup = (dataDir: string, owner: Owner, attributes: Attributes): (() => void) => {
  const path = pathOf(dataDir, owner)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const before = readText(path)
  const members = { ...attributes, ...attributesIn(membersOf(before)), owner: commentOf(owner) }
  writeText(path, JSON.stringify(members, null, 1))
  return () => (before === undefined ? rmSync(path, { force: true }) : writeText(path, before))
}

/** The attributes kept for an attachment; `{}` when there are none. A file that cannot be read holds none. */
export const readBackup = (dataDir: string, attachment: AttachmentId): Attributes => {
  try {
    return attributesIn(membersOf(readText(pathOf(dataDir, attachment))))
  } catch {
    return {}
  }
}

/** Absent is success. */
export const removeBackup = (dataDir: string, attachment: AttachmentId): void => {
  const path = pathOf(dataDir, attachment)
  for (const file of [path, draftOf(path)]) rmSync(file, { force: true })
}

const filesIn = (dataDir: string): string[] => {
  try {
    return readdirSync(dataDir)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

const ownerIn = (path: string): string => {
  try {
    return String(membersOf(readText(path)).owner ?? '')
  } catch {
    return ''
  }
}

/** Removes the backups of `network` whose owner is not among `valid`. Upstream's do not name a network and stay. */
export const sweepBackups = (dataDir: string, network: string, valid: readonly AttachmentId[]): void => {
  const keep = new Set(valid.map((attachment) => commentOf({ network, ...attachment })))
  const stale = filesIn(dataDir)
    .filter((file) => /\.json(?:\.new)?$/.test(file))
    .map((file) => ({ path: `${dataDir}/${file}`, owner: ownerIn(`${dataDir}/${file}`) }))
    .filter(({ owner }) => owner.startsWith(networkPrefix(network)) && !keep.has(owner))
  runAll(
    ...stale.map(
      ({ path }) =>
        () =>
          rmSync(path, { force: true }),
    ),
  )
}
