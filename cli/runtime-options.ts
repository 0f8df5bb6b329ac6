/** Options shared by the commands that run plugins, with cnitool's environment variables as defaults. */
import { type Command, Option } from 'commander'
import type { Runtime } from './runtime/attach.ts'
import type { Timing } from './runtime/program.ts'
import { CACHE_FOLDER } from './runtime/result-cache.ts'

export const CONF_FOLDER = '/etc/cni/net.d'
const BIN_FOLDER = '/opt/cni/bin'

export interface RuntimeOptions {
  readonly confDir: string
  readonly binDir: string
  readonly cacheDir: string
  readonly timing?: boolean
}

/** The configuration folder option alone: for commands that run nothing. */
export const confDirOption = (): Option =>
  new Option('--conf-dir <dir>', 'folder of network configurations').env('NETCONFPATH').default(CONF_FOLDER)

export const addRuntimeOptions = (command: Command): Command =>
  command
    .addOption(confDirOption())
    .addOption(
      new Option('--bin-dir <dirs>', 'folders of plugins, separated by ":"').env('CNI_PATH').default(BIN_FOLDER),
    )
    .option('--cache-dir <dir>', "the runtime's result cache is <dir>/results", CACHE_FOLDER)
    .option('--timing', 'print how long each plugin took')

const printTiming = ({ type, verb, ms }: Timing): void => {
  process.stderr.write(`${verb.padEnd(6)} ${type.padEnd(12)} ${ms.toFixed(1).padStart(8)} ms\n`)
}

export const runtimeOf = ({ binDir, cacheDir, timing = false }: RuntimeOptions): Runtime => ({
  path: binDir.split(':').filter((folder) => folder !== ''),
  cacheFolder: cacheDir,
  ...(timing ? { onTiming: printTiming } : {}),
})
