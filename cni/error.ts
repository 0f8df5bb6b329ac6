/** Codes of SPEC.md §5 Error, libcni's, and ours from 100. */
export const ERR_VERSION = 1
export const ERR_UNSUPPORTED_FIELD = 2
export const ERR_UNKNOWN_CONTAINER = 3
export const ERR_ENVIRONMENT = 4
export const ERR_IO = 5
export const ERR_DECODE = 6
export const ERR_CONFIG = 7
export const ERR_NETNS = 8
export const ERR_TRY_AGAIN = 11
export const ERR_UNAVAILABLE = 50
export const ERR_LIMITED = 51
/** CHECK found the attachment other than ADD left it. */
export const ERR_DRIFT = 100
/** No free address in a range. */
export const ERR_EXHAUSTED = 101
/** The kernel refused an operation. */
export const ERR_KERNEL = 102
/** A host port or an address is held by another attachment. */
export const ERR_CONFLICT = 103
/** A defect of podwire itself: nothing the operator did. */
export const ERR_DEFECT = 104

/** A failure the runtime reads on stdout (SPEC.md §5 Error). The only error a plugin folder throws. `msg` says what was
 *  asked and what was found; `details` what to do, or the list of findings, one a line. */
export class CniError extends Error {
  override readonly name = 'CniError'
  readonly code: number
  readonly details: string
  constructor(code: number, msg: string, details = '', options?: ErrorOptions) {
    super(msg, options)
    this.code = code
    this.details = details
  }
}
