/** Follows the network configuration of the store. */
import type { Alarm } from './alarm.ts'
import type { Retry } from './retry.ts'
import type { LeaseStore } from './store/store.ts'

export interface NetConfTask {
  readonly store: LeaseStore
  readonly retry: Retry
  /** Rung when it is to be read again. */
  readonly alarm: Alarm
  /** @throws DecodeError for one that no agent can start with */
  readonly onText: (text: string) => void
}

const readText = async ({ store, retry }: NetConfTask, signal: AbortSignal): Promise<string | undefined> => {
  try {
    const text = await store.readNetConf(signal)
    retry.worked()
    return text
  } catch (error) {
    await retry.failed(error, signal)
    return undefined
  }
}

/** Until `signal` aborts. @throws what `onText` throws */
export const followNetConf = async (task: NetConfTask, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    const text = await readText(task, signal)
    if (text === undefined) continue
    task.onText(text)
    await task.alarm.wait(undefined, signal)
  }
}
