/** An attachment that another plugin makes, with a configuration that was made for it (SPEC.md §4). ADD keeps the
 *  configuration for DEL, which comes without what it was made of. */
import { ownerOf } from '../kernel/owner.ts'
import { CniError, ERR_CONFIG, ERR_CONFLICT } from './error.ts'
import { failureOf } from './failure.ts'
import { forwardGc, forwardStatus } from './forward.ts'
import type { Call, DelegateRequest, Json, JsonObject, Preview, Verb } from './plugin.ts'
import type { Result } from './result.ts'
import { type Kept, removeConf, replaceConf, type Stale, saveConf, savedConf, staleConfs } from './saved-conf.ts'
import { runAll } from './steps.ts'

/** The delegate's configuration, made anew because the one that ADD kept is not there. */
export interface Remade {
  readonly conf: JsonObject
  /** False when something is missing of what ADD had. */
  readonly isComplete: boolean
}

const typeOf = (conf: JsonObject): string => String(conf['type'])

/** Runs `act`, whose failure is said to be the delegate's. */
const named = <T>(type: string, act: () => T): T => {
  try {
    return act()
  } catch (error) {
    const { code, message, details } = failureOf(error)
    throw new CniError(code, `delegate ${type}: ${message}`, details, { cause: error })
  }
}

const delegate = (call: Call, verb: Verb, request: DelegateRequest): Result | undefined => {
  const type = typeOf(request.conf)
  return named(type, () => call.delegate(type, verb, request))
}

/** `conf` with the result that the runtime sent, and of the version that the result is of. */
const withPrevResult = (conf: JsonObject, { conf: { cniVersion, prevResult } }: Call): JsonObject =>
  prevResult === undefined ? conf : { ...conf, cniVersion, prevResult }

const VALID = ['cni.dev/valid-attachments', 'cni.dev/attachments'] as const

const withValid = (conf: JsonObject, call: Call): JsonObject => {
  const lists = VALID.flatMap((key): [string, Json][] => {
    const list = call.conf[key]
    return list === undefined ? [] : [[key, list]]
  })
  return { ...conf, cniVersion: call.conf.cniVersion, ...Object.fromEntries(lists) }
}

const isRefusal = (error: unknown): boolean => error instanceof CniError && error.code === ERR_CONFIG

/** Detaches what a failed ADD may have left. A delegate that refuses the configuration on DEL as on ADD did nothing. */
const detach = (call: Call, conf: JsonObject, reason: unknown): void => {
  try {
    delegate(call, 'DEL', { conf })
  } catch (error) {
    if (!isRefusal(reason) || !isRefusal(error)) throw error
  }
}

/** Takes back what a failed ADD may have left. What is somebody else's stays: an interface that was there before, or that
 *  may have been, because something of its container was kept. */
const takeBack = (call: Call, dataDir: string, conf: JsonObject, { isFirst }: Kept, reason: unknown): void => {
  const isHeld = reason instanceof CniError && reason.code === ERR_CONFLICT
  try {
    if (isFirst && !isHeld) detach(call, conf, reason)
    removeConf(dataDir, ownerOf(call))
  } catch {
    // the error that led here is the one to report; DEL finds what was kept
  }
}

/** ADD. When it fails, what it left is taken back. @throws CniError the delegate's */
export const addDelegated = (call: Call, dataDir: string, conf: JsonObject): Result => {
  const kept = saveConf(dataDir, ownerOf(call), conf)
  try {
    const result = delegate(call, 'ADD', { conf }) ?? {}
    if (!kept.isNew) replaceConf(dataDir, ownerOf(call), conf)
    return result
  } catch (error) {
    if (kept.isNew) takeBack(call, dataDir, conf, kept, error)
    throw error
  }
}

/** CHECK of what the delegate made. @throws CniError the delegate's */
export const checkDelegated = (call: Call, conf: JsonObject): void => {
  delegate(call, 'CHECK', { conf: withPrevResult(conf, call) })
}

/** DEL with what is kept, or, where the delegate refuses that, with what is known now. */
const detachSaved = (call: Call, saved: JsonObject, remake: () => Remade): void => {
  try {
    delegate(call, 'DEL', { conf: withPrevResult(saved, call) })
  } catch (error) {
    if (!isRefusal(error)) throw error
    delegate(call, 'DEL', { conf: withPrevResult(remake().conf, call) })
  }
}

/** With too little known, nothing tells that there ever was an attachment: then the delegate's refusal is none of ours. */
const detachRemade = (call: Call, { conf, isComplete }: Remade): void => {
  try {
    delegate(call, 'DEL', { conf: withPrevResult(conf, call) })
  } catch (error) {
    if (isComplete) throw error
  }
}

/** DEL with what ADD kept, which goes when the delegate has succeeded; without it, with what can be made anew.
 *  @throws CniError the delegate's */
export const delDelegated = (call: Call, dataDir: string, remake: () => Remade): void => {
  const saved = savedConf(dataDir, ownerOf(call))
  if (saved === undefined) detachRemade(call, remake())
  else detachSaved(call, saved, remake)
  removeConf(dataDir, ownerOf(call))
}

const collect = (call: Call, dataDir: string, { attachment, conf }: Stale, now: JsonObject): void => {
  delegate(call, 'DEL', { conf: { ...(conf ?? now), cniVersion: call.conf.cniVersion }, attachment })
  removeConf(dataDir, { network: call.conf.name, ...attachment })
}

/** Which of two configurations have a GC of their own: other plugins, or the same with other files. */
const collectorOf = (conf: JsonObject): string => {
  const { type, dataDir } = (conf['ipam'] ?? {}) as JsonObject
  return JSON.stringify([conf['type'], type, dataDir])
}

/** GC: what is kept of attachments that are no more is detached, and GC forwarded to every plugin that attachments were
 *  delegated to. `conf` is what ADD would delegate with now. @throws CniError of all that failed */
export const gcDelegated = (call: Call, dataDir: string, conf: JsonObject): void => {
  const stale = staleConfs(dataDir, call.conf.name, call.valid)
  const confs = [...stale.map((one) => one.conf ?? conf), conf]
  const collectors = [...new Map(confs.map((one) => [collectorOf(one), one])).values()]
  runAll(
    ...stale.map((one) => () => collect(call, dataDir, one, conf)),
    ...collectors.map((one) => () => {
      const type = typeOf(one)
      named(type, () => forwardGc(call, type, { conf: withValid(one, call) }))
    }),
  )
}

/** STATUS of the delegate. @throws CniError 50 or 51 */
export const statusDelegated = (call: Call, conf: JsonObject): void =>
  forwardStatus(call, typeOf(conf), `delegate ${typeOf(conf)}`, { conf })

/** What ADD of the delegate would do. @throws CniError 7 when that is not known */
export const previewDelegated = (call: Call, conf: JsonObject): Preview => {
  const found = call.previewOf?.(typeOf(conf), conf)
  if (found !== undefined) return found
  throw new CniError(ERR_CONFIG, `what the delegate ${typeOf(conf)} would do is not known`)
}
