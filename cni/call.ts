/** A Call made of the environment and stdin. */
import { DecodeError } from '../addr/error.ts'
import { parseArgs } from './args.ts'
import { parseConf, parseJson, parseValid } from './conf.ts'
import { parseResult } from './decode.ts'
import type { Entry } from './entry.ts'
import { type Env, parseEnvironment } from './environment.ts'
import type { Call, Json, NetConf, Verb } from './plugin.ts'
import type { Result } from './result.ts'
import type { Version } from './version.ts'

/** The previous result, which ADD of a chained plugin and every CHECK need (SPEC.md §2). @throws DecodeError */
const parsePrevResult = (entry: Entry, verb: Verb, conf: NetConf): Result | undefined => {
  const raw = conf.prevResult as Json | undefined
  if (raw !== undefined) return parseResult(raw, conf.cniVersion as Version, '$.prevResult')
  if (verb === 'CHECK') throw new DecodeError('$.prevResult', 'missing: CHECK needs the result of ADD')
  if (verb === 'ADD' && entry.chained)
    throw new DecodeError('$.prevResult', `missing: ${entry.type} must come after another plugin in the list`)
  return undefined
}

/** Everything checked, nothing done yet; but for DEL, which must go on without it, prevResult only when a plugin looks at it.
 *  @throws CniError 1, 4, 6; DecodeError */
export const callOf = (entry: Entry, verb: Verb, env: Env, stdin: string, delegate: Call['delegate']): Call => {
  const { containerID, netns, ifName, args, path } = parseEnvironment(verb, env)
  const json = parseJson(stdin)
  const conf = parseConf(entry, verb, json)
  const call = {
    ...{ verb, containerID, ifName, netns, path, conf, stdin, delegate },
    args: parseArgs(args, entry.schema.args),
    valid: verb === 'GC' ? parseValid(conf, json) : [],
  }
  if (verb === 'DEL') return withLazyResult(call, () => parsePrevResult(entry, verb, conf))
  return { ...call, prevResult: parsePrevResult(entry, verb, conf) }
}

const withLazyResult = (call: Omit<Call, 'prevResult'>, parse: () => Result | undefined): Call => {
  let parsed: { readonly result: Result | undefined } | undefined
  return Object.defineProperty(call, 'prevResult', {
    enumerable: true,
    get: () => {
      parsed ??= { result: parse() }
      return parsed.result
    },
  }) as Call
}
