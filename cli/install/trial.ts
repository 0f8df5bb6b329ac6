/** Runs the executable of a folder as every plugin it claims to be, before anything is replaced by it. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { CniError, ERR_IO } from '../../cni/error.ts'
import { LAUNCHER } from './source.ts'

/** As much of what a program said as helps: its end, where the reason is. */
const LAST = 400
const tail = (text: string): string => (text.length <= LAST ? text : `...${text.slice(-LAST)}`)

const reject = (program: string, as: string, why: string): never => {
  throw new CniError(
    ERR_IO,
    `${program} does not work as ${as}, so nothing was replaced`,
    `${tail(why)}\nIs it built for this machine, complete, and is the folder mounted without noexec?`,
  )
}

/** What `program` printed when called as `as`. @throws CniError 5 when it does not run or refuses */
const outputOf = (program: string, as: string, args: readonly string[], env: Record<string, string>): string => {
  const options = { argv0: as, env, input: '{"cniVersion":"1.1.0"}', encoding: 'utf8' } as const
  const { error, status, signal, stdout, stderr } = spawnSync(program, args, options)
  if (error !== undefined) return reject(program, as, error.message)
  if (status !== 0) return reject(program, as, `${signal ?? `status ${status}`}: ${stdout}${stderr}`.trim())
  return stdout
}

/** @throws CniError 5 naming the first type that does not answer VERSION, or `podwire` when its addon does not load */
export const tryPlugins = (folder: string, types: readonly string[]): void => {
  outputOf(join(folder, 'podwire'), 'podwire', ['version', '--json'], {})
  const launcher = join(folder, LAUNCHER)
  for (const type of types) {
    const stdout = outputOf(launcher, type, [], { CNI_COMMAND: 'VERSION' })
    if (!stdout.includes('"supportedVersions"')) reject(launcher, type, `VERSION printed ${JSON.stringify(stdout)}`)
  }
}
