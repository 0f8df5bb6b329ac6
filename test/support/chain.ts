/** A configuration list run as libcni runs one: each plugin gets the list's name and version, `runtimeConfig` for the
 *  capabilities it declares, and the result of the one before it. SPEC.md §3. */
import { callPlugin, mustCall, type PluginCall, type PluginOutput } from './plugin.ts'

type Conf = { readonly type: string; readonly [key: string]: unknown }

export interface ConfList {
  readonly cniVersion: string
  readonly name: string
  readonly plugins: readonly Conf[]
}

/** Whose attachment it is; `capabilities` is what the runtime offers. */
export interface Attachment extends Omit<PluginCall, 'conf' | 'verb' | 'type'> {
  readonly capabilities?: Readonly<Record<string, unknown>>
}

const confOf = (list: ConfList, plugin: Conf, attachment: Attachment, extra: object): object => {
  const declared = Object.keys((plugin['capabilities'] as object | undefined) ?? {})
  const offered = Object.entries(attachment.capabilities ?? {}).filter(([key]) => declared.includes(key))
  const runtimeConfig = offered.length > 0 ? { runtimeConfig: Object.fromEntries(offered) } : {}
  return { cniVersion: list.cniVersion, name: list.name, ...plugin, ...runtimeConfig, ...extra }
}

/** The chain's final result. @throws Error with the output of the plugin that failed */
export const addChain = (list: ConfList, attachment: Attachment): unknown => {
  let result: unknown
  for (const plugin of list.plugins) {
    const extra = result === undefined ? {} : { prevResult: result }
    result = mustCall({ ...attachment, verb: 'ADD', conf: confOf(list, plugin, attachment, extra) })
  }
  return result
}

const callEach = (verb: string, list: ConfList, attachment: Attachment, extra: object): readonly PluginOutput[] => {
  const plugins = verb === 'DEL' ? [...list.plugins].reverse() : list.plugins
  return plugins.map((plugin) => callPlugin({ ...attachment, verb, conf: confOf(list, plugin, attachment, extra) }))
}

/** The outcome of CHECK of every plugin, in order. `result` is the chain's final result. */
export const checkChain = (list: ConfList, attachment: Attachment, result: unknown): readonly PluginOutput[] =>
  callEach('CHECK', list, attachment, { prevResult: result })

/** The outcome of DEL of every plugin, last plugin first. Without `result` no prevResult is sent. */
export const delChain = (list: ConfList, attachment: Attachment, result?: unknown): readonly PluginOutput[] =>
  callEach('DEL', list, attachment, result === undefined ? {} : { prevResult: result })

/** The outcome of GC of every plugin; `valid` is what to keep, as `{containerID, ifname}`. */
export const gcChain = (list: ConfList, attachment: Attachment, valid: readonly object[]): readonly PluginOutput[] =>
  callEach('GC', list, attachment, { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid })

/** The outcome of STATUS of every plugin. */
export const statusChain = (list: ConfList, attachment: Attachment): readonly PluginOutput[] =>
  callEach('STATUS', list, attachment, {})
