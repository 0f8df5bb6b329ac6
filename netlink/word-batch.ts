/** Messages for thousands of entries, written from their words without an object for any, and sent a hundred at a time. */
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST } from './message.ts'
import type { NetlinkSocket, Refusal } from './socket.ts'

/** `add` leaves alone what is there, `replace` does not. */
export type Verb = 'add' | 'replace' | 'remove'

/** None asks for an answer: what is sent is done when `send` returns, and refusals are answered in any case. */
export const FLAGS: Readonly<Record<Verb, number>> = {
  add: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
  replace: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
  remove: NLM_F_REQUEST,
}

/** What is refused costs about 1 kB of the receive buffer, and an unprivileged one holds 208 kB (net.core.rmem_default). */
const CHUNK = 128
/** The largest message: a route with three IPv6 addresses, link, table, priority and two metrics. */
const LARGEST = 33

/** Messages one after the other; every attribute is padded to whole words. */
export interface Batch {
  readonly words: Uint32Array
  length: number
}

export const makeBatch = (): Batch => ({ words: new Uint32Array(CHUNK * LARGEST), length: 0 })

export const put = (batch: Batch, word: number): void => {
  batch.words[batch.length] = word
  batch.length += 1
}

/** An attribute of one word. */
export const putAttr = (batch: Batch, type: number, word: number): void => {
  put(batch, 8 | (type << 16))
  put(batch, word)
}

/** An attribute of `size` bytes, which lie in `words` from `from` on. */
export const putWords = (batch: Batch, type: number, size: number, words: Uint32Array, from: number): void => {
  put(batch, (4 + size) | (type << 16))
  for (let i = 0; i < size; i += 4) put(batch, words[from + (i >> 2)] ?? 0)
}

/** Begins a message; its length and number follow when it is whole. Returns where it begins. */
export const begin = (batch: Batch, type: number, flags: number): number => {
  const start = batch.length
  put(batch, 0)
  put(batch, type | (flags << 16))
  put(batch, 0)
  put(batch, 0)
  return start
}

export const end = (batch: Batch, start: number): void => {
  batch.words[start] = (batch.length - start) * 4
}

/** Sends messages 0 to `count`, in order, going on past refusals, and returns those. `encode` writes one message.
 *  @throws NetlinkError when the socket fails */
export const sendAll = (
  socket: NetlinkSocket,
  count: number,
  encode: (batch: Batch, index: number) => void,
): readonly Refusal[] => {
  const batch = makeBatch()
  const refusals: Refusal[] = []
  for (let first = 0; first < count; first += CHUNK) {
    batch.length = 0
    for (let i = first; i < Math.min(first + CHUNK, count); i++) {
      const start = batch.length
      encode(batch, i)
      batch.words[start + 2] = i - first
    }
    const bytes = new Uint8Array(batch.words.buffer, 0, batch.length * 4)
    for (const refusal of socket.send(bytes)) refusals.push({ ...refusal, index: first + refusal.index })
  }
  return refusals
}
