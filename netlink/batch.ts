/** Any number of messages in few sends. */
import { type Message, NLM_F_ACK } from './message.ts'
import type { NetlinkSocket, Refusal } from './socket.ts'

/** What is refused costs about 1 kB of the receive buffer, and an unprivileged one holds 208 kB (net.core.rmem_default). */
const CHUNK = 128

/** Only refusals are answered: what is sent is done when `send` returns. */
const unanswered = (message: Message): Message => ({ ...message, flags: message.flags & ~NLM_F_ACK })

/** Sends messages 0 to `count`, in order, going on past refusals, and returns those. A message is made when its turn comes,
 *  so that thousands of them are never in memory together. @throws NetlinkError when the socket fails */
export const sendAll = (
  socket: NetlinkSocket,
  count: number,
  messageAt: (index: number) => Message,
): readonly Refusal[] => {
  const refusals: Refusal[] = []
  for (let first = 0; first < count; first += CHUNK) {
    const chunk: Message[] = []
    for (let i = first; i < Math.min(first + CHUNK, count); i++) chunk.push(unanswered(messageAt(i)))
    for (const refusal of socket.send(chunk)) refusals.push({ ...refusal, index: first + refusal.index })
  }
  return refusals
}
