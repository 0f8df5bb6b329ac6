/** The previews of the plugins of a network, one after another as ADD would run them. */
import { quote } from '../../addr/error.ts'
import { callOf } from '../../cni/call.ts'
import { parseResult } from '../../cni/decode.ts'
import { resultIn } from '../../cni/encode.ts'
import type { Entry } from '../../cni/entry.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import { failureOf } from '../../cni/failure.ts'
import type { Json, JsonObject, Preview } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { isVersion, NEWEST, type Version } from '../../cni/version.ts'
import { renderPlan } from '../../kernel/apply.ts'
import type { Fact, Ns, Plan } from '../../kernel/plan.ts'
import type { Plugins } from '../main.ts'
import { type Attachment, environmentOf, runtimeConfigOf } from '../runtime/attach.ts'
import type { Network, PluginConf } from '../runtime/network.ts'

/** A command, and whether it is about the node's or the pod's namespace. */
export interface PlacedCommand {
  readonly ns: Ns
  readonly command: string
}

export interface PluginPlan {
  readonly type: string
  /** The facts; absent when what the plugin would do is not known. */
  readonly plan?: readonly { readonly kind: string }[]
  readonly commands: readonly PlacedCommand[]
  /** What the next plugin gets, in the network's version. */
  readonly result?: JsonObject
  readonly note?: string
}

const entryOf = (type: string, plugins: Plugins): Entry | undefined =>
  Object.hasOwn(plugins, type) ? plugins[type]?.() : undefined

/** What ADD of an IPAM plugin would answer: the given addresses, else the plugin's own preview. @throws CniError 7 */
const addressesOf = (
  type: string,
  conf: PluginConf,
  ips: readonly Json[],
  preview: () => Preview | undefined,
): Result => {
  const routes = (conf.ipam as JsonObject | undefined)?.routes ?? []
  if (ips.length > 0) return parseResult({ ips, routes }, NEWEST, '--ip')
  const found = preview()
  if (found !== undefined) return found.result
  const todo = 'name the addresses with --ip ADDRESS/LENGTH'
  throw new CniError(ERR_CONFIG, `what address the IPAM plugin ${quote(type)} would give is not known`, todo)
}

const jsonOf = (result: Result, version: Version): JsonObject => JSON.parse(JSON.stringify(resultIn(version, result)))

/** The preview of one plugin; undefined when the plugin is none of this executable's, or has no preview. */
const previewOf = (
  entry: Entry,
  conf: PluginConf,
  attachment: Attachment,
  ips: readonly Json[],
  plugins: Plugins,
): Preview | undefined => {
  const env = { ...environmentOf(attachment), CNI_PATH: '/' }
  const stdin = JSON.stringify(conf)
  const call = callOf(entry, 'ADD', env, stdin, (type) =>
    addressesOf(type, conf, ips, () => {
      const ipam = entryOf(type, plugins)
      return ipam === undefined ? undefined : previewOf(ipam, conf, attachment, ips, plugins)
    }),
  )
  return entry.preview({
    ...call,
    previewOf: (type, delegated) => delegatedPreview(type, { ...delegated, type }, attachment, ips, plugins),
  })
}

/** The preview of a plugin that another one delegates its attachment to. @throws CniError 7 when it is not known */
const delegatedPreview = (
  type: string,
  conf: PluginConf,
  attachment: Attachment,
  ips: readonly Json[],
  plugins: Plugins,
): Preview => {
  const entry = entryOf(type, plugins)
  const preview = entry === undefined ? undefined : previewOf(entry, conf, attachment, ips, plugins)
  if (preview !== undefined) return preview
  throw new CniError(ERR_CONFIG, `what the plugin ${quote(type)} would do is not known`, 'it is no plugin of podwire')
}

const hint = (plan: Plan, conf: PluginConf, attachment: Attachment): { readonly note?: string } => {
  const missing = Object.keys((conf.capabilities ?? {}) as JsonObject).filter(
    (name) => !(name in attachment.capabilities),
  )
  if (plan.length > 0) return {}
  return { note: missing.length === 0 ? 'nothing' : `nothing without ${missing.join(', ')}: give --cap-args` }
}

const named = (type: string, error: unknown): CniError => {
  const { code, message, details } = failureOf(error)
  return new CniError(code, `${type}: ${message}`, details, { cause: error })
}

const nsOf = (fact: Fact): Ns => ('ns' in fact && fact.ns === 'pod' ? 'pod' : 'node')

const commandsOf = (plan: Plan): readonly PlacedCommand[] =>
  plan.flatMap((fact) =>
    renderPlan([fact])
      .split('\n')
      .filter((line) => line !== '')
      .map((command) => ({ ns: nsOf(fact), command })),
  )

const unknown = (type: string, why: string): PluginPlan => ({
  type,
  commands: [],
  note: `${why}: what it would do, and what follows it, is not known`,
})

const planPlugin = (
  network: Network,
  plugin: PluginConf,
  prevResult: JsonObject | undefined,
  attachment: Attachment,
  ips: readonly Json[],
  plugins: Plugins,
): PluginPlan => {
  const { type } = plugin
  const entry = entryOf(type, plugins)
  if (entry === undefined) return unknown(type, 'is no plugin of podwire')
  const { name, cniVersion } = network
  const more = {
    ...(prevResult === undefined ? {} : { prevResult }),
    ...runtimeConfigOf(plugin, attachment.capabilities),
  }
  const conf = { ...plugin, name, cniVersion, ...more }
  const preview = previewOf(entry, conf, attachment, ips, plugins)
  if (preview === undefined) return unknown(type, 'has no preview')
  const plan = preview.plan as Plan
  const result = jsonOf(preview.result, isVersion(cniVersion) ? cniVersion : NEWEST)
  return { type, plan, commands: commandsOf(plan), result, ...hint(plan, conf, attachment) }
}

/** What each plugin of the network would do, in order, up to the first that cannot say. `ips` stand in for IPAM.
 *  @throws CniError the first plugin's that would refuse */
export const planNetwork = (
  network: Network,
  attachment: Attachment,
  ips: readonly Json[],
  plugins: Plugins,
): readonly PluginPlan[] => {
  const plans: PluginPlan[] = []
  for (const plugin of network.plugins) {
    const prevResult = plans.at(-1)?.result
    try {
      plans.push(planPlugin(network, plugin, prevResult, attachment, ips, plugins))
    } catch (error) {
      throw named(plugin.type, error)
    }
    if (plans.at(-1)?.result === undefined) break
  }
  return plans
}
