/** The verbs of 1.1.0 forwarded to a delegate, which may have been written before them. SPEC.md §4. */
import { CniError, ERR_ENVIRONMENT, ERR_LIMITED, ERR_UNAVAILABLE } from './error.ts'
import type { Call, DelegateRequest } from './plugin.ts'

/** Whether a plugin answered that it does not know a verb: it was written for an older specification. */
const isUnknownVerb = (error: unknown): boolean =>
  error instanceof CniError && error.code === ERR_ENVIRONMENT && error.message.includes('CNI_COMMAND')

/** A plugin that does not know the verb but supports the version has nothing to say to it. */
const forward = (call: Call, type: string, verb: 'GC' | 'STATUS', request: DelegateRequest | undefined): void => {
  try {
    call.delegate(type, verb, request)
  } catch (error) {
    if (!isUnknownVerb(error)) throw error
    call.delegate(type, 'VERSION', request)
  }
}

/** @throws CniError the delegate's */
export const forwardGc = (call: Call, type: string, request?: DelegateRequest): void =>
  forward(call, type, 'GC', request)

/** `what` is the delegate in an operator's words. @throws CniError 50 or 51: the delegate's, or 50 for anything else that
 *  keeps it from serving ADD */
export const forwardStatus = (call: Call, type: string, what: string, request?: DelegateRequest): void => {
  try {
    forward(call, type, 'STATUS', request)
  } catch (error) {
    if (!(error instanceof CniError) || error.code === ERR_UNAVAILABLE || error.code === ERR_LIMITED) throw error
    const msg = `${what} is not available: ${error.message}`
    throw new CniError(ERR_UNAVAILABLE, msg, error.details, { cause: error })
  }
}
