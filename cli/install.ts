/** `podwire install`: puts the executable, its addon and a link for each plugin type into a folder that runtimes use as
 *  CNI_PATH. Every file is written beside its place, tried, and renamed into it: a runtime that calls a plugin meanwhile
 *  runs the old one or the new one, never half a file, and never meets ETXTBSY. */
import { Command } from 'commander'
import { CniError, ERR_IO } from '../cni/error.ts'
import { withFolder } from './install/folder.ts'
import { KEPT_FOLDER, placeFiles } from './install/place.ts'
import { planInstall, type Step } from './install/steps.ts'
import { tryPlugins } from './install/trial.ts'
import type { Plugins } from './main.ts'
import { renderTable } from './screen.ts'
import { VERSION } from './version.ts'

export const DEFAULT_FOLDER = '/opt/cni/bin'

interface Options {
  readonly binDir: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const render = (steps: readonly Step[], { binDir, dryRun = false, json = false }: Options): string => {
  if (json) return `${JSON.stringify(steps)}\n`
  const table = renderTable(
    ['FILE', 'ACTION', 'NOTE'],
    steps.map(({ name, action, note }) => [name, action, note]),
  )
  const closing = dryRun
    ? 'Nothing was changed (--dry-run).'
    : `podwire ${VERSION} answers for every plugin in ${binDir}.`
  return `${table}${closing}\n`
}

/** What went wrong with `folder`, in a way that says what to do. */
const denied = (folder: string, error: unknown): unknown => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') return error
  const todo = 'run as root, or name a folder you may write to with --bin-dir'
  return new CniError(ERR_IO, `${folder} cannot be written to: ${code}`, todo, { cause: error })
}

const install = (plugins: Plugins, options: Options): void => {
  const types = Object.keys(plugins)
  const steps = planInstall(options.binDir, types)
  if (options.dryRun !== true)
    withFolder(options.binDir, (stage) => {
      placeFiles(options.binDir, stage, steps, (program) => tryPlugins(program, types))
    })
  process.stdout.write(render(steps, options))
}

export const installCommand = (plugins: Plugins): Command =>
  new Command('install')
    .description('put podwire and a link for each of its plugins into a folder of CNI plugins')
    .option('--bin-dir <dir>', 'the folder, which runtimes have as CNI_PATH', DEFAULT_FOLDER)
    .option('--dry-run', 'only print what would be done')
    .option('--json', 'print the steps as JSON')
    .addHelpText(
      'after',
      `
A plugin of another origin that podwire replaces is kept in DIR/${KEPT_FOLDER}; \`podwire uninstall\` puts it back.
Plugins that podwire does not have are left alone. Pods that run are not touched.`,
    )
    .action((options: Options) => {
      try {
        install(plugins, options)
      } catch (error) {
        throw denied(options.binDir, error)
      }
    })
