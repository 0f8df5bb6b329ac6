/** Trying again what the store refused: who waits how long, what is said of it, what status shows. */
import { openAlarm } from './alarm.ts'
import { openBackoff } from './backoff.ts'
import { type Log, wordsOf } from './log.ts'

export interface Retry {
  /** Says what failed and waits. @throws the error itself when nothing is to be tried twice (`--once`) */
  readonly failed: (error: unknown, signal: AbortSignal) => Promise<void>
  readonly worked: () => void
}

/** Why something does not work at present, and when it is tried again (ms since the epoch). */
export interface Trouble {
  readonly error: string
  readonly retryAt: number
}

export interface RetryOptions {
  /** What is tried, in words: `reading the network configuration`. */
  readonly what: string
  readonly log: Log
  readonly once: boolean
  readonly onTrouble: (trouble: Trouble | undefined) => void
}

/** A failure that says the same as the one before is logged for debugging alone. */
export const openRetry = ({ what, log, once, onTrouble }: RetryOptions): Retry => {
  const backoff = openBackoff()
  let said: string | undefined
  const failed = async (error: unknown, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return
    if (once) throw error
    const [words, wait] = [wordsOf(error), backoff.next()]
    log[words === said ? 'debug' : 'warn'](
      { error: words, retryInMs: wait },
      `${what} does not work; what was known stays in force`,
    )
    said = words
    onTrouble({ error: words, retryAt: Date.now() + wait })
    await openAlarm().wait(wait, signal)
  }
  const worked = (): void => {
    if (said !== undefined) log.info(`${what} works again`)
    said = undefined
    backoff.reset()
    onTrouble(undefined)
  }
  return { failed, worked }
}
