/** The command line: `podwire COMMAND`. */
import { Command, CommanderError } from 'commander'
import { withTwoDashes } from '../agent/option-sources.ts'
import type { Entry } from '../cni/entry.ts'
import { failureOf } from '../cni/failure.ts'
import { agentCommand } from './agent.ts'
import { gcCommand } from './gc.ts'
import { installCommand } from './install.ts'
import { nodeCommand } from './node.ts'
import { planCommand } from './plan.ts'
import { runCommand } from './run.ts'
import { renderError } from './screen.ts'
import { uninstallCommand } from './uninstall.ts'
import { VERSION, versionCommand } from './version.ts'

/** By type, what makes the entry of a plugin of this executable. */
export type Plugins = Readonly<Record<string, () => Entry>>

const USAGE = 2

const HELP = `
Called by the name of a plugin (bridge, host-local ...) this executable is that plugin and speaks CNI on stdin and stdout.

Examples:
  podwire install --bin-dir /opt/cni/bin     make this node's runtime use podwire
  podwire plan /etc/cni/net.d/10-pods.conflist   what ADD would do, as ip, nft and tc commands
  podwire run add pods /run/netns/test       attach a namespace as a runtime would
  podwire gc --dry-run                       what is left of pods that are gone
  podwire node ping                          which other nodes are reached, and why not`

const programOf = (plugins: Plugins): Command => {
  const program = new Command('podwire')
    .description("A node's pod network in one executable: CNI plugins and their command line.")
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', HELP)
    .showHelpAfterError('(podwire help COMMAND tells more)')
  const commands = [
    installCommand(plugins),
    uninstallCommand(plugins),
    runCommand(),
    planCommand(plugins),
    gcCommand(),
    agentCommand(),
    nodeCommand(),
    versionCommand(plugins),
  ]
  for (const command of commands) program.addCommand(command)
  for (const command of [program, ...allOf(program)]) command.exitOverride()
  return program
}

const allOf = (command: Command): Command[] => command.commands.flatMap((inner) => [inner, ...allOf(inner)])

const statusOf = (error: unknown): number => {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(renderError(failureOf(error)))
    return 1
  }
  return error.exitCode === 0 ? 0 : USAGE
}

/** Does what `argv` (without node and script) asks and sets the process's exit status. */
export const main = (argv: readonly string[], plugins: Plugins): void => {
  try {
    const program = programOf(plugins)
    if (argv.length === 0) program.outputHelp()
    else program.parse(argv[0] === 'agent' ? withTwoDashes(argv) : argv, { from: 'user' })
  } catch (error) {
    process.exitCode = statusOf(error)
  }
}
