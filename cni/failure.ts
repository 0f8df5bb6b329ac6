/** Whatever was thrown, as the error the runtime reads. SPEC.md §5 Error. */
import { DecodeError } from '../addr/error.ts'
import { errnoName } from '../netlink/errno.ts'
import { EAGAIN, NetlinkError } from '../netlink/error.ts'
import { CniError, ERR_CONFIG, ERR_DEFECT, ERR_IO, ERR_KERNEL, ERR_TRY_AGAIN } from './error.ts'

const ofNetlink = (error: NetlinkError): CniError =>
  new CniError(
    error.errno === EAGAIN ? ERR_TRY_AGAIN : ERR_KERNEL,
    `${error.operation}: ${errnoName(error.errno)}`,
    error.extack,
    { cause: error },
  )

/** An error of the operating system (node:fs, the addon, dlopen), which says the call and the path itself. */
const isSystemError = (error: Error): boolean => 'syscall' in error || isLoadError(error)

const isLoadError = (error: Error): boolean => 'code' in error && error.code === 'ERR_DLOPEN_FAILED'

const ofSystem = (error: Error): CniError => {
  const advice = isLoadError(error)
    ? 'podwire.node belongs beside the executable and to the same build: run "podwire install"'
    : ''
  return new CniError(ERR_IO, error.message, advice, { cause: error })
}

const ofDefect = (error: unknown): CniError => {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return new CniError(
    ERR_DEFECT,
    `podwire met something it did not foresee: ${String(error)}`,
    `please report this with the network configuration and the environment\n${stack}`.trim(),
    { cause: error },
  )
}

/** The typed error for `error`: itself, or 7 for what does not decode, 102 for what the kernel refused, 5 for what the
 *  file system refused, 104 for a defect. */
export const failureOf = (error: unknown): CniError => {
  if (error instanceof CniError) return error
  if (error instanceof DecodeError) return new CniError(ERR_CONFIG, error.message, '', { cause: error })
  if (error instanceof NetlinkError) return ofNetlink(error)
  if (error instanceof Error && isSystemError(error)) return ofSystem(error)
  return ofDefect(error)
}

/** Longest message, in characters: a line of a runtime's log. What the system says may hold a path of any length. */
const LONGEST = 1000

/** Control characters as JSON writes them, newlines aside. */
const visible = (text: string): string =>
  Array.from(text, (character) =>
    character < ' ' && character !== '\n' ? JSON.stringify(character).slice(1, -1) : character,
  ).join('')

const messageOf = ({ message }: CniError): string =>
  visible(message.length <= LONGEST ? message : `${message.slice(0, LONGEST - 3)}...`)

/** The error as JSON. `details` is left out when empty. */
export const renderFailure = (error: CniError, cniVersion: string): string => {
  const { code, details } = error
  const json = { cniVersion, code, msg: messageOf(error), details: details === '' ? undefined : details }
  return JSON.stringify(json, null, 4)
}
