/** Which reservations are left over: their attachment ended with an earlier boot. Pure. */
import { type Epoch, isKnown, isSameMachine } from './slot.ts'

/** What is known of one reservation. */
export interface Evidence {
  /** As our index has it; undefined when it has none, so upstream wrote it. */
  readonly epoch: Epoch | undefined
  /** Modification time of its file, milliseconds since 1970. */
  readonly mtime: () => number
}

/** What is known of this machine. */
export interface Present {
  readonly now: Epoch
  /** Milliseconds since 1970: nothing of this boot is older. */
  readonly bootTime: () => number
  readonly isLocal: boolean
}

/** Whether the reservation is from before this boot, so that no network namespace it was made for exists any more.
 *
 *  What the index tells is certain: another boot of this machine. On a local file system no other machine can have made
 *  it, so the machine's id, which changes when an image is cloned, need not agree. What upstream wrote is judged by its
 *  time, on a local file system alone: elsewhere another node may have written it by another clock. */
export const isOutdated = ({ epoch, mtime }: Evidence, { now, bootTime, isLocal }: Present): boolean => {
  if (!isKnown(now)) return false
  if (epoch === undefined || !isKnown(epoch)) return isLocal && mtime() < bootTime()
  return epoch.boot !== now.boot && (isLocal || isSameMachine(epoch, now))
}

/** The epoch to note for a reservation that is kept: its own; else this boot, in which it has now been seen, so that the
 *  next boot frees it whatever its time says. Where others write too nothing is assumed. */
export const epochToNote = (epoch: Epoch | undefined, { now, isLocal }: Present): Epoch | undefined =>
  epoch !== undefined && isKnown(epoch) ? epoch : isLocal ? now : undefined
