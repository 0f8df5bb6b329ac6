/** A request that the kernel refused, or that could not be sent. */
import { errnoName } from './errno.ts'

export class NetlinkError extends Error {
  override readonly name = 'NetlinkError'
  /** What was asked, in the words of `ip` or `nft`. */
  readonly operation: string
  /** Positive errno. */
  readonly errno: number
  /** The kernel's own explanation (NLMSGERR_ATTR_MSG); '' when it gave none. */
  readonly extack: string
  /** Index of the refused message in its batch. */
  readonly index: number
  constructor(operation: string, errno: number, extack = '', index = 0) {
    super(`${operation}: ${errnoName(errno)}${extack === '' ? '' : ` (${extack})`}`)
    this.operation = operation
    this.errno = errno
    this.extack = extack
    this.index = index
  }
}

export const EPERM = 1
export const ENOENT = 2
export const EINTR = 4
export const EAGAIN = 11
export const EBUSY = 16
export const EEXIST = 17
export const ENODEV = 19
export const EINVAL = 22
export const EOPNOTSUPP = 95
export const EADDRNOTAVAIL = 99
export const ESRCH = 3
export const ERESTART = 85

const isErrno = (error: unknown, ...numbers: readonly number[]): boolean =>
  error instanceof NetlinkError && numbers.includes(error.errno)

/** The object named does not exist (also: no such device, address, process, route). */
export const isNotFound = (error: unknown): boolean => isErrno(error, ENOENT, ENODEV, EADDRNOTAVAIL, ESRCH)
export const isExists = (error: unknown): boolean => isErrno(error, EEXIST)
export const isUnsupported = (error: unknown): boolean => isErrno(error, EOPNOTSUPP)
/** The nftables generation moved between reading and writing (NFNL_BATCH_GENID): read again, write again. */
export const isStale = (error: unknown): boolean => isErrno(error, ERESTART)
