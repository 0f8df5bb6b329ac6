/** The text of stdin as a network configuration: JSON, a version both sides speak, keys folded, the schema holding.
 *  SPEC.md §1, §2. */
import { DecodeError, quote } from '../addr/error.ts'
import type { Entry } from './entry.ts'
import { CniError, ERR_DECODE } from './error.ts'
import { containerIdProblem, ifNameProblem } from './names.ts'
import type { AttachmentId, Json, JsonObject, NetConf, Verb } from './plugin.ts'
import { foldBy, requireSchema } from './schema.ts'
import { parseVersion, requireVerb } from './version.ts'

/** Deepest nesting that is read: every configuration is far from it, every recursion over one copes with it. */
const DEEPEST = 1000

/** Whether something in `value` lies below more than `DEEPEST` others. */
const isTooDeep = (value: Json): boolean => {
  let level: readonly Json[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
  }
  return false
}

/** The nesting cannot be deeper than there are brackets. */
const hasManyBrackets = (text: string): boolean => text.split('{').length + text.split('[').length > DEEPEST

/** @throws CniError 6 */
export const parseJson = (text: string): JsonObject => {
  const value = readJson(text)
  if (hasManyBrackets(text) && isTooDeep(value))
    throw new CniError(ERR_DECODE, `stdin nests values more than ${DEEPEST} deep, which no network configuration does`)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new CniError(ERR_DECODE, `stdin holds ${quote(value)}, not the JSON object of a network configuration`)
}

const readJson = (text: string): Json => {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    const found = text.trim() === '' ? 'stdin is empty' : `stdin is not JSON: ${quote(text)}`
    throw new CniError(ERR_DECODE, `${found}; a network configuration is needed`, String(error), { cause: error })
  }
}

/** The configuration of one call. @throws CniError 1, 6; DecodeError for a wrong value */
export const parseConf = (entry: Entry, verb: Verb, json: JsonObject): NetConf => {
  const folded = foldBy(entry.schema, json)
  const cniVersion = parseVersion(folded.cniVersion, entry.versions)
  requireVerb(verb, cniVersion)
  const conf = { type: entry.type, ...folded, cniVersion }
  requireSchema(entry.schema, conf)
  return conf as JsonObject as NetConf
}

const VALID = 'cni.dev/valid-attachments'
/** What libcni called the key at first (containernetworking/cni#1101). */
const VALID_BEFORE = 'cni.dev/attachments'

const parseAttachment = (item: Json, path: string): AttachmentId => {
  const { containerID, ifname } = item as { readonly containerID: string; readonly ifname: string }
  const problem = containerIdProblem(containerID)
  if (problem !== undefined) throw new DecodeError(`${path}.containerID`, problem)
  const ifNameIs = ifNameProblem(ifname)
  if (ifNameIs !== undefined) throw new DecodeError(`${path}.ifname`, ifNameIs)
  return { containerID, ifName: ifname }
}

/** The attachments that GC keeps. An absent list says nothing about what is valid, so it is an error, lest everything be
 *  removed; an empty one (Go's nil slice, `null`, too) says that nothing is valid. `json` is the configuration as it came in.
 *  @throws DecodeError */
export const parseValid = (conf: NetConf, json: JsonObject): readonly AttachmentId[] => {
  const key = [VALID, VALID_BEFORE].find((name) => Object.hasOwn(json, name) || Object.hasOwn(conf, name))
  const path = `$[${quote(key ?? VALID)}]`
  if (key === undefined)
    throw new DecodeError(path, 'missing: without the list of valid attachments GC removes nothing')
  const list = (conf[key] ?? []) as readonly Json[]
  return list.map((item, i) => parseAttachment(item, `${path}[${i}]`))
}
