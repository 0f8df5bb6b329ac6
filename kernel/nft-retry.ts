/** Transactions that hold only for the ruleset they were planned on, tried again when it has changed meanwhile. */
import { CniError, ERR_TRY_AGAIN } from '../cni/error.ts'
import { isNotFound, isStale } from '../netlink/error.ts'

const TRIES = 200

/** The value of `attempt`, which reads and then writes, called again as long as `isLost(error)` says that another
 *  transaction came between. @throws CniError 11 after 200 tries; whatever else `attempt` throws */
export const untilCurrent = <T>(what: string, isLost: (error: unknown) => boolean, attempt: () => T): T => {
  for (let tries = 1; ; tries++) {
    try {
      return attempt()
    } catch (error) {
      if (!isLost(error)) throw error
      if (tries === TRIES)
        throw new CniError(
          ERR_TRY_AGAIN,
          `${what}: the nftables ruleset changed ${TRIES} times while this was done`,
          'another program rewrites its tables without a pause; look at "nft monitor"',
          { cause: error },
        )
    }
  }
}

/** The ruleset is not the one that was read, or what was read is gone. */
export const isOvertaken = (error: unknown): boolean => isStale(error) || isNotFound(error)
