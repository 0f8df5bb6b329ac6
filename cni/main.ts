/** The process around the protocol: the one place of `cni/` that reads stdin and ends the process. */
import { fstatSync, readSync, writeSync } from 'node:fs'
import type { Entry, Registry } from './entry.ts'
import { CniError, ERR_IO } from './error.ts'
import { failureOf, renderFailure } from './failure.ts'
import { holdOffGc } from './gc-lock.ts'
import { run } from './skel.ts'
import { NEWEST } from './version.ts'

const CHUNK = 8192
/** Longest configuration read, in bytes: nothing sane comes near. */
const LONGEST = 1 << 26
/** How long a descriptor that answers EAGAIN is left alone, in ms. */
const PAUSE = 2

const isAgain = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN'

const pause = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
}

/** What `call` returns once the descriptor is ready: a runtime may hand over pipes that do not block. */
const whenReady = <T>(call: () => T): T => {
  for (;;) {
    try {
      return call()
    } catch (error) {
      if (!isAgain(error)) throw error
      pause()
    }
  }
}

/** All of stdin as text. @throws CniError 5 */
const readStdin = (): string => {
  try {
    return readAll()
  } catch (error) {
    throw new CniError(ERR_IO, 'stdin cannot be read', String(error), { cause: error })
  }
}

const readAll = (): string => {
  if (fstatSync(0).isCharacterDevice()) return ''
  const decoder = new TextDecoder()
  const chunk = new Uint8Array(CHUNK)
  let text = ''
  for (;;) {
    const length = whenReady(() => readSync(0, chunk, 0, CHUNK, null))
    if (length === 0) return text + decoder.decode()
    text += decoder.decode(chunk.subarray(0, length), { stream: true })
    if (text.length > LONGEST) throw new Error(`more than ${LONGEST} characters`)
  }
}

const writeAll = (fd: number, text: string): void => {
  let rest = new TextEncoder().encode(text)
  while (rest.length > 0) {
    const bytes = rest
    rest = bytes.subarray(whenReady(() => writeSync(fd, bytes)))
  }
}

const answer = (entry: Entry, registry: Registry): never => {
  const { stdout, stderr, status } = run(entry, {
    env: process.env,
    stdin: readStdin,
    registry,
    beforeAttach: holdOffGc,
  })
  writeAll(2, stderr)
  writeAll(1, stdout)
  process.exit(status)
}

/** Says what went wrong without the addon, which `writeSync` needs in the executable: on stdout, or on stderr when it was
 *  stdout that could not be written. */
const giveUp = (error: unknown): never => {
  const text = renderFailure(failureOf(error), NEWEST)
  for (const fd of [1, 2]) {
    try {
      process.getBuiltinModule('node:fs').writeSync(fd, text)
      break
    } catch {
      // the next one, or only the exit status
    }
  }
  process.exit(1)
}

/** Answers the call that this process is, and ends it. */
export const runPlugin = (entry: Entry, registry: Registry): never => {
  try {
    return answer(entry, registry)
  } catch (error) {
    return giveUp(error)
  }
}
