/** What a main plugin does with the IPAM plugin that its configuration names: each verb forwarded. SPEC.md §4. */
import { CniError, ERR_CONFIG, ERR_CONFLICT } from './error.ts'
import { forwardGc, forwardStatus } from './forward.ts'
import type { Call, JsonObject, Verb } from './plugin.ts'
import type { Result } from './result.ts'

/** `ipam.type`; '' when the network has no IPAM (layer 2 only). */
export const ipamTypeOf = (call: Call): string => {
  const type = (call.conf.ipam as JsonObject | undefined)?.type
  return typeof type === 'string' ? type : ''
}

/** Releases what a failed ADD may have taken; what goes wrong with that is not the news. */
const release = (call: Call, type: string): void => {
  try {
    call.delegate(type, 'DEL')
  } catch {
    // the error that led here is the one to report
  }
}

const requireIps = (result: Result | undefined, type: string): Result => {
  if (result?.ips !== undefined && result.ips.length > 0) return result
  throw new CniError(
    ERR_CONFIG,
    `ipam plugin ${type} gave no address`,
    'configure at least one range or address in $.ipam',
  )
}

/** The addresses, routes and DNS for this attachment: at least one address, or `{}` when the network has no IPAM. What a
 *  failing IPAM plugin may have reserved is released (SPEC.md §4). @throws CniError the delegate's, or 7 when it gave no address */
export const ipamAdd = (call: Call): Result => {
  const type = ipamTypeOf(call)
  if (type === '') return {}
  try {
    return requireIps(call.delegate(type, 'ADD'), type)
  } catch (error) {
    if (!isHeld(error)) release(call, type)
    throw error
  }
}

/** Our own IPAM refuses a second ADD of an attachment that holds addresses: those are in use and stay. */
const isHeld = (error: unknown): boolean => error instanceof CniError && error.code === ERR_CONFLICT

const forward = (call: Call, verb: Verb): void => {
  const type = ipamTypeOf(call)
  if (type !== '') call.delegate(type, verb)
}

/** @throws CniError the delegate's */
export const ipamDel = (call: Call): void => forward(call, 'DEL')
/** @throws CniError the delegate's */
export const ipamCheck = (call: Call): void => forward(call, 'CHECK')

/** @throws CniError the delegate's */
export const ipamGc = (call: Call): void => {
  const type = ipamTypeOf(call)
  if (type !== '') forwardGc(call, type)
}

/** @throws CniError 50 or 51: the delegate's, or 50 for anything else that keeps it from serving ADD */
export const ipamStatus = (call: Call): void => {
  const type = ipamTypeOf(call)
  if (type !== '') forwardStatus(call, type, `ipam plugin ${type}`)
}
