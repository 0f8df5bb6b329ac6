/** The verbs of CNI on a whole network, as libcni runs them: plugin after plugin, each given the list's name and version,
 *  the capabilities it declares and the result of the one before it. SPEC.md §3; libcni/api.go. */
import { quote } from '../../addr/error.ts'
import { parseResult } from '../../cni/decode.ts'
import { resultIn } from '../../cni/encode.ts'
import { CniError, ERR_VERSION } from '../../cni/error.ts'
import { requireContainerId, requireIfName } from '../../cni/names.ts'
import type { AttachmentId, Json, JsonObject, Verb } from '../../cni/plugin.ts'
import { isVersion } from '../../cni/version.ts'
import { compareVersions, type Network, type PluginConf } from './network.ts'
import { runProgram, type Timing } from './program.ts'
import { readEntry, removeEntry, writeEntry } from './result-cache.ts'

/** How this runtime runs plugins. */
export interface Runtime {
  /** CNI_PATH, split. */
  readonly path: readonly string[]
  /** The parent of `results`. */
  readonly cacheFolder: string
  readonly onTiming?: (timing: Timing) => void
}

/** What is attached, and what the runtime gives the plugins besides the configuration. */
export interface Attachment extends AttachmentId {
  /** Path; '' when the namespace is not known (DEL). */
  readonly netns: string
  /** CNI_ARGS. */
  readonly args: readonly (readonly [string, string])[]
  /** Capability arguments by capability. */
  readonly capabilities: JsonObject
}

/** No attachment: for the verbs that concern a network. */
const NOBODY: Attachment = { containerID: '', ifName: '', netns: '', args: [], capabilities: {} }

/** CNI_* of an attachment, besides CNI_COMMAND and CNI_PATH. */
export const environmentOf = ({ containerID, netns, ifName, args }: Attachment): Record<string, string> => ({
  CNI_CONTAINERID: containerID,
  CNI_NETNS: netns,
  CNI_IFNAME: ifName,
  CNI_ARGS: args.map((pair) => pair.join('=')).join(';'),
})

/** `{ runtimeConfig }` with the capabilities that a plugin declares and the runtime has arguments for; {} without any. */
export const runtimeConfigOf = (plugin: PluginConf, capabilities: JsonObject): JsonObject => {
  const declared = (plugin.capabilities ?? {}) as JsonObject
  const offered = Object.entries(capabilities).filter(([name]) => declared[name] === true)
  return offered.length === 0 ? {} : { runtimeConfig: Object.fromEntries(offered) }
}

/** Runs `verb` of one plugin of `network`; `more` is put into its configuration. */
const runPlugin = (
  verb: Verb,
  network: Network,
  plugin: PluginConf,
  attachment: Attachment,
  more: JsonObject,
  { path, onTiming }: Runtime,
): JsonObject => {
  const { name, cniVersion } = network
  const conf = { ...plugin, name, cniVersion, ...more, ...runtimeConfigOf(plugin, attachment.capabilities) }
  return runProgram({ type: plugin.type, verb, path, environment: environmentOf(attachment), conf }, onTiming)
}

/** The cached result of an attachment as `{ prevResult }` in the network's version; {} when there is none. */
const prevResultOf = (network: Network, id: AttachmentId, { cacheFolder }: Runtime): JsonObject => {
  const result = readEntry(cacheFolder, { network: network.name, ...id })?.result
  if (result === undefined) return {}
  const { cniVersion } = network
  if (result.cniVersion === cniVersion || !isVersion(cniVersion)) return { prevResult: result }
  return { prevResult: JSON.parse(JSON.stringify(resultIn(cniVersion, parseResult(result, cniVersion, 'result')))) }
}

const isOlder = (network: Network, version: string): boolean => compareVersions(network.cniVersion, version) < 0

/** Attaches and remembers the result in the cache. Returns what the last plugin printed. When a plugin refuses, those
 *  before it stay: the runtime's next call is DEL (SPEC.md §2 ADD). @throws CniError the plugin's */
export const addNetwork = (network: Network, attachment: Attachment, runtime: Runtime): JsonObject => {
  requireContainerId(attachment.containerID)
  requireIfName(attachment.ifName)
  let result: JsonObject | undefined
  for (const plugin of network.plugins) {
    const more: JsonObject = result === undefined ? {} : { prevResult: result }
    const printed = runPlugin('ADD', network, plugin, attachment, more, runtime)
    result = { ...printed, cniVersion: printed.cniVersion || network.cniVersion }
  }
  const { containerID, ifName, netns, args, capabilities } = attachment
  const entry = { containerID, ifName, netns, args, capabilities, result, network: network.name, config: network.text }
  writeEntry(runtime.cacheFolder, entry)
  return result ?? {}
}

/** @throws CniError the first plugin's that finds the attachment other than ADD left it; 1 for a version without CHECK */
export const checkNetwork = (network: Network, attachment: Attachment, runtime: Runtime): void => {
  if (isOlder(network, '0.4.0'))
    throw new CniError(
      ERR_VERSION,
      `network ${quote(network.name)} has cniVersion ${network.cniVersion}: CHECK came with 0.4.0`,
      `set cniVersion in ${network.file}`,
    )
  if (network.disableCheck) return
  const more = prevResultOf(network, attachment, runtime)
  for (const plugin of network.plugins) runPlugin('CHECK', network, plugin, attachment, more, runtime)
}

/** Detaches, last plugin first, and forgets the cached result. Stops at the first plugin that refuses, as libcni does, and
 *  keeps the cached result then: the call can be repeated. @throws CniError the plugin's */
export const delNetwork = (network: Network, attachment: Attachment, runtime: Runtime): void => {
  const more = isOlder(network, '0.4.0') ? {} : prevResultOf(network, attachment, runtime)
  for (const plugin of network.plugins.toReversed()) runPlugin('DEL', network, plugin, attachment, more, runtime)
  removeEntry(runtime.cacheFolder, { network: network.name, ...attachment })
}

/** @throws CniError the first plugin's that could not serve an ADD now */
export const statusNetwork = (network: Network, runtime: Runtime): void => {
  for (const plugin of network.plugins) runPlugin('STATUS', network, plugin, NOBODY, {}, runtime)
}

/** Whether the network's version has STATUS and GC. */
export const hasUpkeep = (network: Network): boolean => !isOlder(network, '1.1.0')

/** GC of one plugin: everything of the network that is not in `valid` goes. @throws CniError the plugin's */
export const gcPlugin = (
  network: Network,
  plugin: PluginConf,
  valid: readonly AttachmentId[],
  runtime: Runtime,
): void => {
  const list = valid.map(({ containerID, ifName }): Json => ({ containerID, ifname: ifName }))
  // the second key is what the specification called it before 1.1.0 was final, and libcni still sends both
  const more = { 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list }
  runPlugin('GC', network, plugin, NOBODY, more, runtime)
}

/** The versions a plugin says it supports. @throws CniError the plugin's */
export const versionsOf = (type: string, { path }: Runtime): readonly string[] => {
  const environment = { ...environmentOf(NOBODY), CNI_NETNS: 'dummy', CNI_IFNAME: 'dummy' }
  const { supportedVersions } = runProgram({ type, verb: 'VERSION', path, environment, conf: { cniVersion: '1.1.0' } })
  return Array.isArray(supportedVersions) ? supportedVersions.map(String) : []
}
