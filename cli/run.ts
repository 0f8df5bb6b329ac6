/** `podwire run`: one verb on one network, as cnitool does it: same environment variables, same container id, and libcni's
 *  result cache. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { quote } from '../addr/error.ts'
import { CniError, ERR_CONFIG } from '../cni/error.ts'
import type { AttachmentId, JsonObject } from '../cni/plugin.ts'
import { type Attachment, addNetwork, checkNetwork, delNetwork, hasUpkeep, statusNetwork } from './runtime/attach.ts'
import { gcNetwork } from './runtime/gc.ts'
import { findNetwork, type Network, parseObject } from './runtime/network.ts'
import { readEntry } from './runtime/result-cache.ts'
import { addRuntimeOptions, type RuntimeOptions, runtimeOf } from './runtime-options.ts'

interface Options extends RuntimeOptions {
  readonly ifname?: string
  readonly containerId?: string
  readonly capArgs?: string
  readonly args?: string
  readonly keep?: readonly string[]
}

/** cnitool's: `cnitool-` and the first 10 bytes of SHA-512 of the namespace's path, in hex. */
export const containerIdOf = (netns: string): string =>
  `cnitool-${createHash('sha512').update(netns).digest('hex').slice(0, 20)}`

/** `K=V;K2=V2`. @throws CniError 7 */
export const parseArgs = (text: string): readonly (readonly [string, string])[] =>
  text === ''
    ? []
    : text.split(';').map((pair) => {
        const [key = '', value = '', ...rest] = pair.split('=')
        if (key !== '' && value !== '' && rest.length === 0) return [key, value]
        throw new CniError(ERR_CONFIG, `CNI_ARGS has ${quote(pair)}, which is not KEY=VALUE`)
      })

const idOf = (netns: string, options: Options): AttachmentId => ({
  containerID: options.containerId ?? containerIdOf(netns),
  ifName: options.ifname ?? (process.env.CNI_IFNAME || 'eth0'),
})

/** Arguments that are not given are those the attachment was made with, as the result cache remembers them. */
const attachmentOf = (network: Network, path: string, options: Options): Attachment => {
  const netns = path === '' ? '' : resolve(path)
  const id = idOf(netns, options)
  const cached = readEntry(runtimeOf(options).cacheFolder, { network: network.name, ...id })
  const capArgs = options.capArgs ?? process.env.CAP_ARGS ?? ''
  const args = options.args ?? process.env.CNI_ARGS ?? ''
  const capabilities: JsonObject =
    capArgs === ''
      ? (cached?.capabilities ?? {})
      : parseObject(capArgs, options.capArgs === undefined ? 'CAP_ARGS' : '--cap-args')
  return { ...id, netns, args: args === '' ? (cached?.args ?? []) : parseArgs(args), capabilities }
}

type Verb = (network: Network, attachment: Attachment, options: Options) => void

const add: Verb = (network, attachment, options) => {
  const result = addNetwork(network, attachment, runtimeOf(options))
  process.stdout.write(`${JSON.stringify(result, null, 4)}\n`)
}
const del: Verb = (network, attachment, options) => delNetwork(network, attachment, runtimeOf(options))
const check: Verb = (network, attachment, options) => checkNetwork(network, attachment, runtimeOf(options))

const status = (network: Network, options: Options): void => {
  if (hasUpkeep(network)) statusNetwork(network, runtimeOf(options))
  else
    process.stderr.write(
      `network ${network.name} has cniVersion ${network.cniVersion}: STATUS came with 1.1.0, nobody was asked\n`,
    )
}

/** `CONTAINERID/IFNAME`. @throws CniError 7 */
const parseId = (text: string): AttachmentId => {
  const [containerID = '', ifName = '', ...rest] = text.split('/')
  if (containerID !== '' && ifName !== '' && rest.length === 0) return { containerID, ifName }
  throw new CniError(ERR_CONFIG, `--keep has ${quote(text)}, which is not CONTAINERID/IFNAME`)
}

const gc = (network: Network, options: Options): void =>
  gcNetwork(network, (options.keep ?? []).map(parseId), runtimeOf(options))

const attachmentCommand = (name: string, about: string, verb: Verb, netns = '<netns>'): Command =>
  addRuntimeOptions(new Command(name))
    .description(about)
    .argument('<network>', 'name of a network configured in the configuration folder')
    .argument(netns, 'path of the network namespace, such as /run/netns/test')
    .option('-i, --ifname <name>', 'interface in the namespace ($CNI_IFNAME, eth0)')
    .option('--container-id <id>', "container id (cnitool's: from a hash of the path)")
    .option('--cap-args <json>', 'capability arguments, such as {"portMappings": [...]} ($CAP_ARGS)')
    .option('--args <args>', 'KEY=VALUE;KEY=VALUE ($CNI_ARGS)')
    .action((network: string, path: string, options: Options) => {
      const found = findNetwork(options.confDir, network)
      verb(found, attachmentOf(found, path, options), options)
    })

const networkCommand = (name: string, about: string, verb: (network: Network, options: Options) => void): Command =>
  addRuntimeOptions(new Command(name))
    .description(about)
    .argument('<network>', 'name of a network configured in the configuration folder')
    .argument('[netns]', "not used; cnitool's command line has it")
    .action((network: string, _netns: string, options: Options) => verb(findNetwork(options.confDir, network), options))

export const runCommand = (): Command =>
  new Command('run')
    .description('run one verb of CNI on a network, as cnitool does')
    .addCommand(attachmentCommand('add', 'attach a namespace; prints the result', add))
    .addCommand(attachmentCommand('del', 'detach a namespace, which may be gone already', del))
    .addCommand(attachmentCommand('check', 'verify that the attachment is as ADD left it', check))
    .addCommand(networkCommand('status', 'ask whether the plugins could serve an ADD now', status))
    .addCommand(
      networkCommand('gc', 'remove every attachment of the network, live ones too, except those named', gc)
        .option('--keep <id...>', 'attachments to keep, as CONTAINERID/IFNAME')
        .addHelpText('after', '\n`podwire gc` finds out by itself which attachments are still in use.'),
    )
