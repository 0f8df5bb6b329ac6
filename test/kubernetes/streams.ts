/** Watches of a server: lines of JSON that go out in pieces, and what an order makes go wrong with them. */
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface StreamFaults {
  /** Bytes of a piece; everything at once when absent. */
  pieces?: number
  /** Ms between pieces; 0 when absent. */
  pause?: number
}

export interface Streams {
  readonly faults: StreamFaults
  /** How many are open. */
  readonly open: () => number
  /** Sends `line` on every one, as it is. */
  readonly inject: (line: string) => void
  /** Ends every one, as at the end of `timeoutSeconds`. */
  readonly end: () => void
}

export interface StreamRoom extends Streams {
  /** Takes `response`, begun. Returns what sends an object on it. */
  readonly add: (response: ServerResponse) => (object: object) => void
}

const write = async (response: ServerResponse, text: string, { pieces, pause = 0 }: StreamFaults): Promise<void> => {
  const bytes = Buffer.from(text)
  const size = pieces ?? bytes.length
  for (let at = 0; at < bytes.length; at += size) {
    response.write(bytes.subarray(at, at + size))
    if (at + size < bytes.length) await sleep(pause)
  }
}

interface Sending {
  readonly send: (text: string) => void
  readonly end: () => void
}

export const openStreams = (): StreamRoom => {
  const open = new Map<ServerResponse, Sending>()
  const faults: StreamFaults = {}
  const add = (response: ServerResponse): ((object: object) => void) => {
    let queue = Promise.resolve()
    const later = (act: () => Promise<void> | undefined): void => {
      queue = queue.then(() => (response.writableEnded || response.destroyed ? undefined : act()))
    }
    const send = (text: string): void => later(() => write(response, text, faults))
    open.set(response, { send, end: () => later(() => void response.end()) })
    response.on('close', () => open.delete(response))
    return (object) => send(`${JSON.stringify(object)}\n`)
  }
  return {
    faults,
    add,
    open: () => open.size,
    inject: (line) => {
      for (const { send } of open.values()) send(`${line}\n`)
    },
    end: () => {
      for (const { end } of open.values()) end()
    },
  }
}
