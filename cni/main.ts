/** The process around the protocol: the one place of `cni/` that reads stdin and ends the process. */
import { addon } from '../native/addon.ts'
import type { Entry, Registry } from './entry.ts'
import { CniError, ERR_IO } from './error.ts'
import { failureOf, renderFailure } from './failure.ts'
import { holdOffGc } from './gc-lock.ts'
import { run } from './skel.ts'
import { NEWEST } from './version.ts'

/** Longest configuration read, in bytes: nothing sane comes near. */
const LONGEST = 1 << 26

/** All of stdin as text. @throws CniError 5 */
const readStdin = (): string => {
  try {
    return addon().readText(0, LONGEST)
  } catch (error) {
    throw new CniError(ERR_IO, 'stdin cannot be read', String(error), { cause: error })
  }
}

/** @throws CniError 5 */
const write = (fd: number, text: string): void => {
  const { writeText } = addon()
  try {
    writeText(fd, text)
  } catch (error) {
    throw new CniError(ERR_IO, `${fd === 1 ? 'stdout' : 'stderr'} cannot be written`, String(error), { cause: error })
  }
}

const answer = (entry: Entry, registry: Registry): never => {
  const { stdout, stderr, status } = run(entry, {
    env: process.env,
    stdin: readStdin,
    registry,
    beforeAttach: holdOffGc,
  })
  if (stderr !== '') write(2, stderr)
  write(1, stdout)
  process.exit(status)
}

/** Says what went wrong without the addon, which writes in the executable: on stdout, or on stderr when it was
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
