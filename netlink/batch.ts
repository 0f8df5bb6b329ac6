/** Any number of messages in few sends. */
import { type Message, NLM_F_ACK } from './message.ts'
import type { NetlinkSocket } from './socket.ts'

/** What is refused costs about 1 kB of the receive buffer, and an unprivileged one holds 208 kB (net.core.rmem_default). */
const CHUNK = 128

/** What the kernel refused. */
export interface Refusal {
  /** Index of the message. */
  readonly index: number
  readonly errno: number
  readonly extack: string
}

/** Only refusals are answered: what is sent is done when `exchange` returns. */
const unanswered = (message: Message): Message => ({ ...message, flags: message.flags & ~NLM_F_ACK })

/** Sends messages 0 to `count`, in order, going on past refusals, and returns those. A message is made when its turn comes,
 *  so that thousands of them are never in memory together. */
export const exchangeAll = (
  socket: NetlinkSocket,
  count: number,
  messageAt: (index: number) => Message,
): readonly Refusal[] => {
  const refusals: Refusal[] = []
  for (let first = 0; first < count; first += CHUNK) {
    const chunk: Message[] = []
    for (let i = first; i < Math.min(first + CHUNK, count); i++) chunk.push(unanswered(messageAt(i)))
    for (const [i, { errno, extack }] of socket.exchange(chunk).entries())
      if (errno !== 0) refusals.push({ index: first + i, errno, extack })
  }
  return refusals
}
