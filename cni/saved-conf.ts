/** The configuration that a delegate was given, kept from ADD to DEL. `<dataDir>/<containerID>` is flannel's plugin's own
 *  (flannel.go `saveScratchNetConf`): either implementation detaches what the other attached. It knows one attachment of a
 *  container; ours are hard links of it, or files beside it, one for each: `<dataDir>/.podwire/<network>/<containerID>:<ifName>`.
 *  Nothing is flushed to the disk: what a power failure loses, DEL does without. */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import type { Owner } from '../kernel/owner.ts'
import { containerIdProblem, ifNameProblem } from './names.ts'
import type { AttachmentId, Json, JsonObject } from './plugin.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
/** Upstream's modes of the file and of its folder. */
const MODE = 0o600
const FOLDER_MODE = 0o700

const OWN = '.podwire'
const folderOf = (dataDir: string, network: string): string => `${dataDir}/${OWN}/${network}`
const publicPath = (dataDir: string, { containerID }: AttachmentId): string => `${dataDir}/${containerID}`
/** A colon is in no container id and in no interface name. */
const ownPath = (dataDir: string, { network, containerID, ifName }: Owner): string =>
  `${folderOf(dataDir, network)}/${containerID}:${ifName}`

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** What `act` returns; undefined when it fails with `code`. */
const unless = <T>(code: string, act: () => T): T | undefined => {
  try {
    return act()
  } catch (error) {
    if (codeOf(error) === code) return undefined
    throw error
  }
}

/** Whether what `make` makes is there already. */
const isTaken = (make: () => void): boolean => {
  try {
    make()
    return false
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return true
    throw error
  }
}

const numberOf = (path: string): number | undefined => lstatSync(path, { throwIfNoEntry: false })?.ino

const isOneFile = (path: string, other: string): boolean => {
  const number = numberOf(path)
  return number !== undefined && number === numberOf(other)
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parseObject = (text: string): JsonObject | undefined => {
  try {
    const value = JSON.parse(text) as Json
    return isObject(value) && typeof value['type'] === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** The configuration in a file; undefined when there is none, or half of one, or a symbolic link. */
const readConf = (path: string): JsonObject | undefined => {
  const fd = unless('ENOENT', () => unless('ELOOP', () => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)))
  if (fd === undefined) return undefined
  try {
    return unless('EISDIR', () => parseObject(readFileSync(fd, 'utf8')))
  } finally {
    closeSync(fd)
  }
}

const writeNew = (path: string, text: string): void => {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE)
  try {
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}

const remove = (path: string): void => rmSync(path, { force: true })

/** Makes the folder when it is missing: most often it is not. */
const writeOwn = (dataDir: string, owner: Owner, text: string): void => {
  const path = ownPath(dataDir, owner)
  const isMade = unless('ENOENT', () => {
    writeNew(path, text)
    return true
  })
  if (isMade) return
  mkdirSync(folderOf(dataDir, owner.network), { recursive: true, mode: FOLDER_MODE })
  writeNew(path, text)
}

/** What `saveConf` found. */
export interface Kept {
  /** Nothing was kept of this attachment. */
  readonly isNew: boolean
  /** Nothing was kept of its container, by whomever. */
  readonly isFirst: boolean
}

/** Keeps `conf` for DEL, unless something is kept of this attachment already. @throws the file system's errors */
export const saveConf = (dataDir: string, owner: Owner, conf: JsonObject): Kept => {
  if (isTaken(() => writeOwn(dataDir, owner, JSON.stringify(conf)))) return { isNew: false, isFirst: false }
  return { isNew: true, isFirst: !isTaken(() => linkSync(ownPath(dataDir, owner), publicPath(dataDir, owner))) }
}

/** Keeps `conf` in place of what was kept. @throws the file system's errors */
export const replaceConf = (dataDir: string, owner: Owner, conf: JsonObject): void => {
  if (isOneFile(ownPath(dataDir, owner), publicPath(dataDir, owner))) remove(publicPath(dataDir, owner))
  remove(ownPath(dataDir, owner))
  saveConf(dataDir, owner, conf)
}

/** What the delegate was given for this attachment, or, by another implementation, for one of its container in this network;
 *  undefined when that is not known. @throws the file system's errors */
export const savedConf = (dataDir: string, owner: Owner): JsonObject | undefined => {
  const own = readConf(ownPath(dataDir, owner))
  if (own !== undefined) return own
  const conf = readConf(publicPath(dataDir, owner))
  return conf?.['name'] === owner.network ? conf : undefined
}

const namesIn = (folder: string): readonly string[] => unless('ENOENT', () => readdirSync(folder)) ?? []

/** The attachments that are kept of a network. */
const keptIn = (dataDir: string, network: string): readonly AttachmentId[] =>
  namesIn(folderOf(dataDir, network)).flatMap((name) => {
    const [containerID = '', ifName = ''] = name.split(':')
    const isOurs = containerIdProblem(containerID) === undefined && ifNameProblem(ifName) === undefined
    return isOurs ? [{ containerID, ifName }] : []
  })

/** Another file of the same container, in whatever network. */
const heirOf = (dataDir: string, { containerID }: AttachmentId): string | undefined => {
  const networks = namesIn(`${dataDir}/${OWN}`)
  const paths = networks.flatMap((network) =>
    keptIn(dataDir, network)
      .filter((kept) => kept.containerID === containerID)
      .map((kept) => ownPath(dataDir, { network, ...kept })),
  )
  return paths[0]
}

/** Whether another implementation wrote this file, for a container in `network`: none of ours is a link of it. So it is,
 *  too, after a DEL that was interrupted. */
const isForeign = (path: string, network: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.nlink === 1 && readConf(path)?.['name'] === network

/** Forgets what is kept of an attachment; absent is success. Another one of its container takes the file that other
 *  implementations read. @throws the file system's errors */
export const removeConf = (dataDir: string, owner: Owner): void => {
  const [own, seen] = [ownPath(dataDir, owner), publicPath(dataDir, owner)]
  const isOurs = numberOf(own) === undefined ? isForeign(seen, owner.network) : isOneFile(own, seen)
  remove(own)
  if (!isOurs) return
  remove(seen)
  const heir = heirOf(dataDir, owner)
  if (heir !== undefined) isTaken(() => linkSync(heir, seen))
}

/** What upstream calls the interface it does not write down. */
const USUAL_IFNAME = 'eth0'

export interface Stale {
  readonly attachment: AttachmentId
  readonly conf: JsonObject | undefined
}

/** What is kept of attachments of `network` that are not among `valid`: ours, and those of containers of which another
 *  implementation wrote a file. */
export const staleConfs = (dataDir: string, network: string, valid: readonly AttachmentId[]): readonly Stale[] => {
  const keep = new Set(valid.map(({ containerID, ifName }) => `${containerID}:${ifName}`))
  const containers = new Set(valid.map(({ containerID }) => containerID))
  const own = keptIn(dataDir, network).filter(({ containerID, ifName }) => !keep.has(`${containerID}:${ifName}`))
  const foreign = namesIn(dataDir)
    .filter((name) => containerIdProblem(name) === undefined && !containers.has(name))
    .filter((name) => isForeign(`${dataDir}/${name}`, network))
    .map((containerID) => ({ containerID, ifName: USUAL_IFNAME }))
  return [...own, ...foreign].map((attachment) => ({
    attachment,
    conf: savedConf(dataDir, { network, ...attachment }),
  }))
}
