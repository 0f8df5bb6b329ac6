/** `podwire agent`: the node layer. Its options are those of `conf/schemas/agent.json`. */
import { Command, Option } from 'commander'
import { environmentLayer, type Flags, fileLayer, flagLayer, unknownVariables } from '../agent/option-sources.ts'
import { OPTION_TABLE, type OptionSpec } from '../agent/option-table.ts'
import { type Options, optionsOf, type Setting, settingsOf } from '../agent/options.ts'
import { settingRows, settingsJson } from '../agent/options-text.ts'
import { CniError, ERR_IO } from '../cni/error.ts'
import { failureOf } from '../cni/failure.ts'
import { LeaseLost, StoreError } from '../overlay/store-error.ts'
import { renderError, renderTable } from './screen.ts'
import { VERSION } from './version.ts'

interface Actions {
  readonly config?: string
  readonly printConfig?: boolean
  readonly json?: boolean
  readonly once?: boolean
  readonly dryRun?: boolean
  readonly cleanup?: boolean
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value]

const defaultOf = ({ default: value }: OptionSpec): string => {
  if (typeof value === 'object' || value === '') return ''
  return ` (${value})`
}

const flagOf = (spec: OptionSpec): Option => {
  const value =
    spec.type === 'boolean' ? ' [bool]' : ` <${spec.allowed.length > 0 ? spec.allowed.join('|') : spec.value}>`
  const option = new Option(`--${spec.key}${value}`, `${spec.about}${defaultOf(spec)}`)
  return spec.type === 'array' ? option.argParser(collect) : option
}

/** What was given, by key: commander's own names are not those of the table. */
const flagsOf = (command: Command): Flags =>
  Object.fromEntries(
    command.options.flatMap((option): [string, Flags[string]][] => {
      const value: unknown = command.getOptionValue(option.attributeName())
      return value === undefined ? [] : [[option.name(), value as Flags[string]]]
    }),
  )

const settingsFor = (command: Command, { config }: Actions): readonly Setting[] => {
  const { env } = process
  const path = config ?? (env['PODWIRE_CONFIG'] || undefined)
  return settingsOf([
    flagLayer(flagsOf(command)),
    environmentLayer('PODWIRE', env),
    environmentLayer('FLANNELD', env),
    ...(path === undefined ? [] : [fileLayer(path)]),
  ])
}

const printConfig = (settings: readonly Setting[], { json = false }: Actions): void => {
  process.stdout.write(
    json ? settingsJson(settings) : renderTable(['OPTION', 'VALUE', 'SOURCE'], settingRows(settings)),
  )
}

const warnings = (): readonly string[] =>
  unknownVariables(process.env).map((name) => `the variable ${name} is no option of podwire agent`)

const clean = async (options: Options): Promise<number> => {
  const { cleanUp } = await import('../agent/cleanup.ts')
  const { done, left } = cleanUp(options)
  process.stdout.write(done.length === 0 ? 'There is nothing of the overlay on this node.\n' : `${done.join('\n')}\n`)
  process.stderr.write(left.map((line) => `${line}\n`).join(''))
  return left.length === 0 ? 0 : 1
}

const act = async (command: Command, actions: Actions): Promise<number> => {
  const settings = settingsFor(command, actions)
  const options = optionsOf(settings)
  if (actions.printConfig === true) {
    printConfig(settings, actions)
    return 0
  }
  if (actions.cleanup === true) return clean(options)
  if (actions.dryRun === true) {
    const { previewAgent } = await import('../agent/preview.ts')
    process.stdout.write(await previewAgent(options))
    return 0
  }
  const { runAgent } = await import('../agent/agent.ts')
  return runAgent({ version: VERSION, options, once: actions.once === true, warnings: warnings() })
}

const HELP = `
Each option is also a variable, PODWIRE_SUBNET_FILE for --subnet-file, and a key of the file, "subnet-file". A flag goes
before the variable, that before flannel's FLANNELD_SUBNET_FILE, that before the file, that before the default.
In a variable, several values are separated by spaces.`

const isRefusal = (error: unknown): error is Error => error instanceof StoreError || error instanceof LeaseLost

const asFailure = (error: unknown): CniError =>
  isRefusal(error) ? new CniError(ERR_IO, error.message, '', { cause: error }) : failureOf(error)

/** Ends the process itself: open sockets would keep it. */
const run = (command: Command, actions: Actions): void => {
  act(command, actions)
    .catch((error: unknown) => {
      process.stderr.write(renderError(asFailure(error)))
      return 1
    })
    .then((status) => process.exit(status))
}

export const agentCommand = (): Command => {
  const command = new Command('agent')
    .description("keep this node's overlay: lease, device, peers, masquerading, subnet.env")
    .version(VERSION, '--version', 'print the version')
    .option('--config <file>', 'a JSON file of options')
    .option('--print-config', 'print the options in force and where each came from')
    .option('--json', 'with --print-config: as JSON')
    .option('--once', 'bring the kernel to the plan and end; status 1 when a part of it could not be')
    .option('--dry-run', 'print what would be held in the kernel now, as commands; nothing is written anywhere')
    .option('--cleanup', 'take everything of the overlay from this node; the lease stays. While no agent runs')
    .addHelpText('after', HELP)
  for (const spec of OPTION_TABLE) command.addOption(flagOf(spec))
  return command.action((actions: Actions) => run(command, actions))
}
