/** `podwire plan`: what ADD of a network would do, as commands or as data. Nothing is applied and no address is reserved. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Command } from 'commander'
import type { Json, JsonObject } from '../cni/plugin.ts'
import type { Plugins } from './main.ts'
import { type PlacedCommand, type PluginPlan, planNetwork } from './plan/preview.ts'
import { parseArgs } from './run.ts'
import { findNetwork, type Network, parseObject, readNetwork } from './runtime/network.ts'
import { confDirOption } from './runtime-options.ts'

interface Options {
  readonly confDir: string
  readonly containerId: string
  readonly netns: string
  readonly ifname: string
  readonly ip?: readonly string[]
  readonly capArgs?: string
  readonly args?: string
  readonly json?: boolean
}

const networkOf = (name: string, { confDir }: Options): Network =>
  name.includes('/') || existsSync(name) ? readNetwork(name, dirname(resolve(name))) : findNetwork(confDir, name)

/** Under the prompt of the namespace; a remark, which is no command, has none. */
const renderCommand = ({ ns, command }: PlacedCommand): string =>
  command.startsWith('#') ? `     ${command}` : `${ns.padEnd(4)} # ${command}`

const renderPlugin = ({ type, commands, note }: PluginPlan, i: number): string =>
  [`${i + 1}. ${type}${note === undefined ? '' : `: ${note}`}`, ...commands.map(renderCommand), ''].join('\n')

const renderText = (
  network: Network,
  plans: readonly PluginPlan[],
  { containerId, netns, ifname }: Options,
): string => {
  const head = `network ${network.name} of ${network.file}, cniVersion ${network.cniVersion}\ncontainer ${containerId}, interface ${ifname}; "pod" is the namespace ${netns}\n`
  const result = plans.at(-1)?.result
  const tail = result === undefined ? '' : `result\n${JSON.stringify(result, null, 2)}\n`
  return [head, ...plans.map(renderPlugin), tail].join('\n')
}

const renderJson = (
  network: Network,
  plans: readonly PluginPlan[],
  { containerId, netns, ifname }: Options,
): string => {
  const attachment = { containerID: containerId, netns, ifName: ifname }
  const { name, cniVersion, file } = network
  return `${JSON.stringify({ network: name, file, cniVersion, attachment, plugins: plans, result: plans.at(-1)?.result }, null, 2)}\n`
}

const plan = (plugins: Plugins, name: string, options: Options): void => {
  const network = networkOf(name, options)
  const { containerId, netns, ifname, ip = [], capArgs, args = '' } = options
  const capabilities: JsonObject = capArgs === undefined ? {} : parseObject(capArgs, '--cap-args')
  const attachment = { containerID: containerId, ifName: ifname, netns, args: parseArgs(args), capabilities }
  const plans = planNetwork(
    network,
    attachment,
    ip.map((address): Json => ({ address })),
    plugins,
  )
  process.stdout.write(options.json ? renderJson(network, plans, options) : renderText(network, plans, options))
}

export const planCommand = (plugins: Plugins): Command =>
  new Command('plan')
    .description('print what ADD would do, as ip, bridge, tc, sysctl and nft commands; nothing is applied')
    .argument('<network>', 'name of a configured network, or path of a .conflist or .conf file')
    .addOption(confDirOption())
    .option('--container-id <id>', 'container', 'example')
    .option('--netns <path>', 'its network namespace, which need not exist', '/run/netns/example')
    .option('-i, --ifname <name>', 'interface in the namespace', 'eth0')
    .option('--ip <address...>', 'addresses with prefix length, instead of those IPAM would give next')
    .option('--cap-args <json>', 'capability arguments, such as {"portMappings": [...]}')
    .option('--args <args>', 'CNI_ARGS: KEY=VALUE;KEY=VALUE')
    .option('--json', 'print facts, commands and result as JSON')
    .action((name: string, options: Options) => plan(plugins, name, options))
