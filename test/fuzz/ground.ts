/** Where cases are tried in this process: a node and a pod as namespaces, a folder, every plugin as cni/skel.ts runs it, and
 *  a quick look at whether the kernel or the folder was touched. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { type Entry, entryOf } from '../../cni/entry.ts'
import type { Plugin } from '../../cni/plugin.ts'
import type { Schema } from '../../cni/schema.ts'
import { type Output, run } from '../../cni/skel.ts'
import { openSocket } from '../../netlink/socket.ts'
import type { Json } from '../conformance/version.ts'
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { within } from '../support/in-process.ts'
import { makeNetns, pathOf } from '../support/netns.ts'
import { MARK } from './value.ts'

export const PLUGINS = [
  'loopback',
  'bridge',
  'ptp',
  'flannel',
  'vxlan',
  'portmap',
  'firewall',
  'bandwidth',
  'tuning',
  'host-local',
  'static',
] as const
export type PluginName = (typeof PLUGINS)[number]
const IPAM: readonly string[] = ['host-local', 'static']
/** What other plugins delegate to. */
const DELEGATES: readonly string[] = [...IPAM, 'bridge']
/** What an agent would have written for `flannel`: the subnet that the configurations speak of. */
const LEASE = 'FLANNEL_NETWORK=10.9.0.0/16\nFLANNEL_SUBNET=10.9.0.1/24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=false\n'

export type Env = Readonly<Record<string, string | undefined>>

export interface Ground {
  readonly node: string
  readonly podPath: string
  /** Where plugins may write; the working folder lies deep in it. */
  readonly folder: string
  /** A folder that leads to the plugins of this process that others delegate to. */
  readonly cniPath: string
  readonly entry: (plugin: string) => Entry
  /** What the plugin answers; its effects are on the ground. */
  readonly run: (plugin: string, env: Env, stdin: string) => Output
  /** Links, addresses, routes, the generation of the nftables rules, files. */
  readonly digest: () => string
  /** Names of the node's links. */
  readonly links: () => readonly string[]
  /** What is wrong with the links now, when they were `before`: bridges may outlive the attachment that made them. */
  readonly movedLinks: (before: readonly string[]) => readonly string[]
  readonly env: (verb: string, more?: Env) => Env
}

const loadEntry = async (type: string): Promise<Entry> => {
  const folder = IPAM.includes(type) ? 'ipam' : 'plugins'
  const { plugin } = (await import(`../../${folder}/${type}/main.ts`)) as { plugin: Plugin<unknown> }
  const { schema } = (await import(`../../conf/generated/${type}.js`)) as { schema: Schema }
  return entryOf(plugin, schema)
}

const POD_LINK = 'link add pwf0 address 02:00:00:00:00:02 type veth peer name eth0 address 02:00:00:00:00:03 netns'

const makeNode = (): { node: string; pod: string } => {
  const [node, pod] = [makeNetns('fuzz'), makeNetns('fuzzpod')]
  const bridge = ['link add pwfbr type bridge', 'addr add 10.8.0.1/24 dev pwfbr', 'link set pwfbr up', 'link set lo up']
  const lines = [...bridge, `${POD_LINK} ${pod}`, 'link set pwf0 master pwfbr', 'link set pwf0 up']
  must(['ip', '-n', node, '-batch', '-'], { input: lines.join('\n') })
  must(['ip', '-n', pod, '-batch', '-'], { input: 'addr add 10.8.0.2/24 dev eth0\nlink set eth0 up\n' })
  for (const iptables of ['iptables', 'ip6tables'])
    must(['ip', 'netns', 'exec', node, iptables, '-t', 'nat', '-N', 'KUBE-MARK-MASQ'])
  return { node, pod }
}

/** The folder with a victim that nothing may touch, and the working folder four levels below. */
const makeGround = (): string => {
  const folder = makeFolder('fuzz')
  mkdirSync(`${folder}/a/b/c/d`, { recursive: true })
  writeFileSync(`${folder}/resolv.conf`, 'nameserver 10.1.1.1\n')
  mkdirSync(`${folder}/bin`)
  writeFileSync(`${folder}/subnet.env`, LEASE)
  for (const type of DELEGATES) symlinkSync(process.execPath, `${folder}/bin/${type}`)
  return folder
}

const NETLINK_NETFILTER = 12
const NFT_MSG_GETGEN = 0xa10
const NLM_F_REQUEST_ACK = 5

/** The generation id of the namespace's rules: every commit moves it on. linux/netfilter/nf_tables.h */
const generation = (): string => {
  const socket = openSocket(NETLINK_NETFILTER, -1)
  const message = { type: NFT_MSG_GETGEN, flags: NLM_F_REQUEST_ACK, header: new Uint8Array(4), attrs: [] }
  const [reply] = socket.exchange([message])
  socket.close()
  return Buffer.from(reply?.messages[0]?.body ?? []).toString('hex')
}

const NET = '/proc/thread-self/net'
const linkNames = (): readonly string[] =>
  Array.from(readFileSync(`${NET}/dev`, 'utf8').matchAll(/^ *(\S+?): /gm), ([, name = '']) => name).sort()
const tables = (): string =>
  ['fib_trie', 'if_inet6', 'route'].map((name) => readFileSync(`${NET}/${name}`, 'utf8')).join('')
/** Local and multicast IPv6 addresses come and go by themselves. */
const stable = (text: string): string => text.replaceAll(/^fe80.*\n/gm, '')

const filesUnder = (folder: string): string => readdirSync(folder, { recursive: true }).sort().join('\n')

const bridgesIn = (node: string): readonly string[] =>
  must(['ip', '-n', node, '-br', 'link', 'show', 'type', 'bridge'])
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')

/** The names of bridges that configurations ask for, which may have gone too, and of the overlay's devices, which stay. */
const OUR_BRIDGE = /^(?:pwfz|flannel(?:-v6)?\.)/

const movedLinks = (node: string, before: readonly string[], after: readonly string[]): readonly string[] => {
  const moved = [...before.filter((link) => !after.includes(link)), ...after.filter((link) => !before.includes(link))]
  if (moved.length === 0) return []
  const bridges = bridgesIn(node)
  const left = moved.filter((link) => !bridges.includes(link) && !OUR_BRIDGE.test(link))
  return left.length === 0 ? [] : [`links are not what they were: ${left.join(', ')}`]
}

/** What hostile values did that no single case shows: a mark in the rules, a file that a shell made, a polluted
 *  prototype. */
export const aftermath = ({ node, folder }: Ground): readonly string[] => {
  const rules = must([
    'ip',
    'netns',
    'exec',
    node,
    'sh',
    '-c',
    'nft list ruleset; iptables-save; ip6tables-save; ip link',
  ])
  const marked = rules.split('\n').filter((line) => line.includes(MARK))
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name === MARK).map(({ parentPath }) => parentPath)
  const polluted = Object.keys(Object.prototype)
  return [...marked, ...files, ...polluted]
}

export const prepareGround = async (): Promise<Ground> => {
  const entries = new Map(
    await Promise.all(PLUGINS.map(async (type) => [type as string, await loadEntry(type)] as const)),
  )
  const registry = (type: string): Entry | undefined => entries.get(type)
  const { node, pod } = makeNode()
  const folder = makeGround()
  process.chdir(`${folder}/a/b/c/d`)
  const entry = (plugin: string): Entry => {
    const found = registry(plugin)
    if (found === undefined) throw new Error(`no plugin ${plugin}`)
    return found
  }
  const cniPath = `${folder}/bin`
  const base = { CNI_PATH: cniPath, CNI_CONTAINERID: 'fuzz', CNI_IFNAME: 'eth0', CNI_NETNS: pathOf(pod), CNI_ARGS: '' }
  return {
    node,
    podPath: pathOf(pod),
    folder,
    cniPath,
    entry,
    run: (plugin, env, stdin) => within(node, () => run(entry(plugin), { env, stdin: () => stdin, registry })),
    digest: () => within(node, () => linkNames().join() + stable(tables()) + generation()) + filesUnder(folder),
    links: () => within(node, linkNames),
    movedLinks: (before) => movedLinks(node, before, within(node, linkNames)),
    env: (verb, more = {}) => ({ ...base, CNI_COMMAND: verb, ...more }),
  }
}

/** The JSON Schema of a plugin as written, for judging what the generated code says. */
export const schemaOf = (type: string): Json =>
  JSON.parse(readFileSync(`${import.meta.dirname}/../../conf/schemas/${type}.json`, 'utf8')) as Json
