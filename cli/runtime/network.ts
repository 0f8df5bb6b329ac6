/** Configurations of networks: the files of a folder such as /etc/cni/net.d, read as libcni reads them. SPEC.md §1. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { DecodeError, quote } from '../../addr/error.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import type { Json, JsonObject } from '../../cni/plugin.ts'
import { NEWEST } from '../../cni/version.ts'

export interface PluginConf extends JsonObject {
  readonly type: string
}

/** A network: its plugins in the order of ADD. */
export interface Network {
  readonly name: string
  /** Highest of `cniVersion` and `cniVersions` that is not newer than this implementation; 0.1.0 when none is stated. */
  readonly cniVersion: string
  readonly disableCheck: boolean
  readonly disableGC: boolean
  readonly plugins: readonly PluginConf[]
  /** Where it was read from. */
  readonly file: string
  /** The file's own text, which the result cache keeps. */
  readonly text: string
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `text` as a JSON object. @throws DecodeError naming `file` */
export const parseObject = (text: string, file: string): JsonObject => {
  let value: Json
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DecodeError(file, `is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  if (!isObject(value)) throw new DecodeError(file, 'holds JSON, but not an object')
  return value
}

const parsePlugin = (value: Json, path: string): PluginConf => {
  if (!isObject(value)) throw new DecodeError(path, `${quote(value)} is not an object`)
  const { type } = value
  if (typeof type !== 'string' || type === '') throw new DecodeError(`${path}.type`, 'is missing: the plugin to run')
  return { ...value, type }
}

const parseFlag = (object: JsonObject, key: string, file: string): boolean => {
  const value = object[key] ?? false
  const text = String(value).toLowerCase()
  if (typeof value !== 'object' && (text === 'true' || text === 'false')) return text === 'true'
  throw new DecodeError(`${file}: ${key}`, `${quote(value)} is neither true nor false`)
}

/** Numbers of `1.2.3`. @throws DecodeError at `path` */
const parseNumbers = (version: Json, path: string): readonly number[] => {
  if (typeof version !== 'string' || !/^\d+(\.\d+){0,2}$/.test(version))
    throw new DecodeError(path, `${quote(version)} is not a version, such as "${NEWEST}"`)
  return version.split('.').map(Number)
}

/** Negative when `a` is older than `b`. Both are versions already. */
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [parseNumbers(a, 'cniVersion'), parseNumbers(b, 'cniVersion')]
  const at = [0, 1, 2].find((i) => (left[i] ?? 0) !== (right[i] ?? 0)) ?? 0
  return (left[at] ?? 0) - (right[at] ?? 0)
}

const parseListVersion = (object: JsonObject, file: string): string => {
  const { cniVersion = '', cniVersions } = object
  if (typeof cniVersion !== 'string')
    throw new DecodeError(`${file}: cniVersion`, `${quote(cniVersion)} is not a string`)
  if (cniVersions !== undefined && !Array.isArray(cniVersions))
    throw new DecodeError(`${file}: cniVersions`, `${quote(cniVersions)} is not a list`)
  const stated: readonly Json[] = [...(cniVersions ?? []), ...(cniVersion === '' ? [] : [cniVersion])]
  const known = stated.filter((version): version is string => {
    parseNumbers(version, `${file}: cniVersion`)
    return compareVersions(String(version), NEWEST) <= 0
  })
  return known.sort(compareVersions).at(-1) ?? (cniVersion || '0.1.0')
}

const parsePlugins = (object: JsonObject, file: string): readonly PluginConf[] => {
  const { plugins } = object
  if (plugins === undefined) return []
  if (!Array.isArray(plugins) || plugins.length === 0)
    throw new DecodeError(`${file}: plugins`, `${quote(plugins)} is not a list of at least one plugin`)
  return plugins.map((plugin: Json, i) => parsePlugin(plugin, `${file}: plugins[${i}]`))
}

/** Names of the files of `folder` with one of `extensions`, sorted; none when there is no such folder. */
const filesOf = (folder: string, extensions: readonly string[]): readonly string[] => {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    const files = entries.filter((entry) => !entry.isDirectory() && extensions.includes(extname(entry.name)))
    return files.map(({ name }) => join(folder, name)).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The plugins of `FOLDER/NETWORK/*.conf`, which are appended to a list that does not say `loadOnlyInlinedPlugins`. */
const siblingPlugins = (folder: string, name: string): readonly PluginConf[] =>
  filesOf(join(folder, name), ['.conf']).map((file) => parsePlugin(parseObject(readFileSync(file, 'utf8'), file), file))

const parseName = (object: JsonObject, file: string): string => {
  const { name } = object
  if (typeof name !== 'string' || name === '') throw new DecodeError(`${file}: name`, 'is missing: the network to be')
  return name
}

/** The network of a configuration list (`.conflist`). `folder` is where its sibling folder is looked for; '' when the list
 *  comes from no folder. @throws DecodeError */
export const parseList = (text: string, file: string, folder: string): Network => {
  const object = parseObject(text, file)
  const name = parseName(object, file)
  const inlined = parsePlugins(object, file)
  const alone = folder === '' || parseFlag(object, 'loadOnlyInlinedPlugins', file)
  const plugins = alone ? inlined : [...inlined, ...siblingPlugins(folder, name)]
  if (plugins.length === 0) throw new DecodeError(`${file}: plugins`, 'is missing: the plugins to run')
  const disableCheck = parseFlag(object, 'disableCheck', file)
  const disableGC = parseFlag(object, 'disableGC', file)
  return { name, cniVersion: parseListVersion(object, file), disableCheck, disableGC, plugins, file, text }
}

/** The network of the configuration of one plugin (`.conf`, `.json`), or of a list in such a file. @throws DecodeError */
const parseConf = (text: string, file: string): Network => {
  const object = parseObject(text, file)
  const plugin = parsePlugin(object, file)
  const { name = '', cniVersion = '' } = object
  const list = { name, cniVersion, plugins: [plugin] }
  return {
    name: String(name),
    cniVersion: parseListVersion({ cniVersion }, file),
    disableCheck: false,
    disableGC: false,
    plugins: [plugin],
    file,
    text: JSON.stringify(list),
  }
}

/** The network that `file` configures: a list when it has `plugins`, else one plugin. @throws DecodeError, Error (file) */
export const readNetwork = (file: string, folder: string): Network => {
  const text = readFileSync(file, 'utf8')
  const isList = extname(file) === '.conflist' || parseObject(text, file).plugins !== undefined
  return isList ? parseList(text, file, folder) : parseConf(text, file)
}

/** Every network configured in `folder`: lists first, then single configurations, each in the order of file names. Of two
 *  with one name the first counts. @throws DecodeError when any file does not decode */
export const readNetworks = (folder: string): readonly Network[] => {
  const lists = filesOf(folder, ['.conflist']).map((file) => parseList(readFileSync(file, 'utf8'), file, folder))
  const singles = filesOf(folder, ['.conf', '.json']).map((file) => parseConf(readFileSync(file, 'utf8'), file))
  const all = [...lists, ...singles]
  return all.filter(({ name }, i) => all.findIndex((other) => other.name === name) === i)
}

/** The network called `name` in `folder`. @throws CniError 7 when there is none */
export const findNetwork = (folder: string, name: string): Network => {
  const networks = readNetworks(folder)
  const found = networks.find((network) => network.name === name)
  if (found !== undefined) return found
  const names = networks.map((network) => network.name).join(', ')
  throw new CniError(
    ERR_CONFIG,
    `no network ${quote(name)} is configured in ${folder}`,
    names === '' ? `there is no .conflist, .conf or .json file in ${folder}` : `configured there: ${names}`,
  )
}
