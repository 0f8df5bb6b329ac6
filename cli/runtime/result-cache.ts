/** The result cache that libcni keeps, `<cache folder>/results/<network>-<container id>-<interface>`: what a runtime has
 *  attached and not yet detached. Kind `cniCacheV1` (libcni/api.go cachedInfo). */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AttachmentId, Json, JsonObject } from '../../cni/plugin.ts'

const KIND = 'cniCacheV1'
/** Where libcni keeps it unless its user says otherwise. */
export const CACHE_FOLDER = '/var/lib/cni'

export interface CacheEntry extends AttachmentId {
  readonly network: string
  /** The configuration that was used, as text. */
  readonly config: string
  readonly netns: string
  readonly args: readonly (readonly [string, string])[]
  readonly capabilities: JsonObject
  /** The result of the last plugin, in the version it was printed in. */
  readonly result: JsonObject | undefined
}

export const resultsFolder = (cacheFolder: string): string => join(cacheFolder, 'results')

type Key = AttachmentId & { readonly network: string }
const pathOf = (cacheFolder: string, { network, containerID, ifName }: Key): string =>
  join(resultsFolder(cacheFolder), `${network}-${containerID}-${ifName}`)

const encode = (entry: CacheEntry): string =>
  JSON.stringify({
    kind: KIND,
    containerId: entry.containerID,
    config: Buffer.from(entry.config).toString('base64'),
    ifName: entry.ifName,
    networkName: entry.network,
    netns: entry.netns || undefined,
    cniArgs: entry.args.length > 0 ? entry.args : undefined,
    capabilityArgs: Object.keys(entry.capabilities).length > 0 ? entry.capabilities : undefined,
    result: entry.result,
  })

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const objectOf = (value: Json | undefined): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined

const parseArgs = (value: Json | undefined): readonly (readonly [string, string])[] =>
  Array.isArray(value)
    ? value.map((pair: Json): [string, string] => (Array.isArray(pair) ? [textOf(pair[0]), textOf(pair[1])] : ['', '']))
    : []

/** The entry `text` holds; undefined for a file of another kind, which libcni passes over too. */
const parseEntry = (text: string): CacheEntry | undefined => {
  let object: JsonObject | undefined
  try {
    object = objectOf(JSON.parse(text))
  } catch {
    return undefined
  }
  if (object === undefined || object.kind !== KIND) return undefined
  return {
    network: textOf(object.networkName),
    containerID: textOf(object.containerId),
    ifName: textOf(object.ifName),
    config: Buffer.from(textOf(object.config), 'base64').toString(),
    netns: textOf(object.netns),
    args: parseArgs(object.cniArgs),
    capabilities: objectOf(object.capabilityArgs) ?? {},
    result: objectOf(object.result),
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

const readText = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The entry of an attachment; undefined when there is none. */
export const readEntry = (cacheFolder: string, key: Key): CacheEntry | undefined => {
  const text = readText(pathOf(cacheFolder, key))
  return text === undefined ? undefined : parseEntry(text)
}

/** Every attachment of the cache, in the order of file names; undefined when the cache's folder does not exist. */
export const readCache = (cacheFolder: string): readonly CacheEntry[] | undefined => {
  const folder = resultsFolder(cacheFolder)
  try {
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
    const texts = files.map(({ name }) => readText(join(folder, name))).filter((text) => text !== undefined)
    return texts
      .map(parseEntry)
      .filter((entry) => entry !== undefined && entry.network !== '' && entry.ifName !== '') as CacheEntry[]
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Adds or replaces an entry. It is renamed into place: a reader sees the old one or the new one. */
export const writeEntry = (cacheFolder: string, entry: CacheEntry): void => {
  mkdirSync(resultsFolder(cacheFolder), { recursive: true, mode: 0o700 })
  const draft = join(cacheFolder, `.result-${process.pid}`)
  writeFileSync(draft, encode(entry), { mode: 0o600 })
  renameSync(draft, pathOf(cacheFolder, entry))
}

/** Removes an entry; absent is success. */
export const removeEntry = (cacheFolder: string, key: Key): void => rmSync(pathOf(cacheFolder, key), { force: true })
