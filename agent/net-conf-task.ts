/** Follows the network configuration of the store, and what it says of this node's addresses. */
import type { Claim } from '../overlay/claim.ts'
import type { Alarm } from './alarm.ts'
import type { Retry } from './retry.ts'
import type { LeaseStore } from './store/store.ts'

export interface NetConfTask {
  readonly store: LeaseStore
  readonly retry: Retry
  /** Rung when it is to be read again. */
  readonly alarm: Alarm
  /** @throws DecodeError for one that no agent can start with */
  readonly onRead: (read: Read) => void
}

/** What the store says of the network, and of this node's addresses. */
export interface Read {
  readonly text: string
  readonly addresses: Pick<Claim, 'publicIP' | 'publicIPv6'>
}

const read = async ({ store, retry }: NetConfTask, signal: AbortSignal): Promise<Read | undefined> => {
  try {
    const text = await store.readNetConf(signal)
    const addresses = (await store.publicAddresses?.(signal)) ?? {}
    retry.worked()
    return { text, addresses }
  } catch (error) {
    await retry.failed(error, signal)
    return undefined
  }
}

/** Until `signal` aborts. @throws what `onRead` throws */
export const followNetConf = async (task: NetConfTask, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    const found = await read(task, signal)
    if (found === undefined) continue
    task.onRead(found)
    await task.alarm.wait(undefined, signal)
  }
}
