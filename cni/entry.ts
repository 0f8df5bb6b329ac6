/** A plugin together with the code generated from its schema: what the executable knows of one `type`. */
import type { Call, Plugin, Preview } from './plugin.ts'
import type { Result } from './result.ts'
import type { Schema } from './schema.ts'
import { type Version, versionsSince } from './version.ts'

export interface Entry {
  readonly type: string
  readonly about: string
  readonly versions: readonly Version[]
  readonly chained: boolean
  readonly schema: Schema
  /** Parses the configuration and does the call's verb. Returns ADD's result. */
  readonly run: (call: Call) => Result | undefined
  /** ADD without its effects; undefined when the plugin has no preview. */
  readonly preview: (call: Call) => Preview | undefined
}

/** The entry of a `type`; undefined when the executable has none such. */
export type Registry = (type: string) => Entry | undefined

const runVerb = <Conf>(plugin: Plugin<Conf>, call: Call): Result | undefined => {
  const conf = plugin.parse(call)
  switch (call.verb) {
    case 'ADD':
      return plugin.add(conf, call)
    case 'DEL':
      return plugin.del(conf, call) ?? undefined
    case 'CHECK':
      return plugin.check(conf, call) ?? undefined
    case 'GC':
      return plugin.gc(conf, call) ?? undefined
    case 'STATUS':
      return plugin.status(conf, call) ?? undefined
    case 'VERSION':
      return undefined
    default:
      return call.verb satisfies never
  }
}

export const entryOf = <Conf>(plugin: Plugin<Conf>, schema: Schema): Entry => ({
  type: plugin.type,
  about: plugin.about,
  versions: versionsSince(plugin.since ?? '0.1.0'),
  chained: plugin.chained ?? false,
  schema,
  run: (call) => runVerb(plugin, call),
  preview: (call) => plugin.preview?.(plugin.parse(call), call),
})
