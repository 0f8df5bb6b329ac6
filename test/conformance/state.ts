/** What a node holds, as lines of JSON: links with their addresses, routes, rules, qdiscs, every nftables object (the
 *  tables of iptables-nft too), sysctls that plugins set, and files. Two states compare as sets. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Bed } from './bed.ts'
import type { Json } from './version.ts'

export type State = readonly string[]

const SYSCTLS = [
  'ipv4/ip_forward',
  'ipv6/conf/all/forwarding',
  'ipv4/conf/*/{forwarding,route_localnet,arp_notify,arp_filter,rp_filter}',
  'ipv6/conf/*/{disable_ipv6,accept_ra,accept_dad,keep_addr_on_down,forwarding}',
]
const COMMANDS = [
  'ip -j -d addr',
  'ip -j route show table all',
  'ip -j -6 route show table all',
  'ip -j rule',
  'ip -j -6 rule',
  'tc -j qdisc',
  'nft -j list ruleset',
]
const SCRIPT = `${COMMANDS.map((command) => `${command} 2>/dev/null; echo; echo ---`).join('\n')}
cd /proc/sys/net; grep -s . ${SYSCTLS.join(' ')} || true`

/** Kernel noise: link-local addresses and multicast routes of IPv6 come by themselves, late. */
const isNoise = (text: string): boolean => /^addr fe80:|"dst":"(?:fe80|ff00)::?/.test(text)

const linkLines = (link: Json): string[] => {
  const info = link['linkinfo'] as Json | undefined
  const kind = info?.['info_kind']
  const { ifname, mtu, master, flags, promiscuity } = link
  const address = kind === 'bridge' ? '' : link['address']
  const isUp = (flags as string[]).includes('UP')
  const on = master === undefined ? '' : ` master ${master}`
  const text = `${kind ?? ''} ${ifname}${on} mtu ${mtu} ${isUp ? 'up' : 'down'} promiscuity ${promiscuity} ${address}`
  const addresses = link['addr_info'] as Json[]
  return [`link ${text}`, ...addresses.map(({ local, prefixlen }) => `addr ${local}/${prefixlen} dev ${ifname}`)]
}

/** `flags` of a route tell whether its link has a carrier. */
const VOLATILE: readonly string[] = ['handle', 'counter', 'expires', 'refcnt', 'flags']

const withoutVolatile = (key: string, value: unknown): unknown => (VOLATILE.includes(key) ? undefined : value)

const lineOf = (section: string, object: unknown): string => `${section} ${JSON.stringify(object, withoutVolatile)}`

/** An nftables object as lines: a set or map is its head and one line for each element. */
const nftLines = (object: Json): string[] => {
  const [kind = '', body] = Object.entries(object)[0] ?? []
  if (kind === 'metainfo') return []
  const { elem, ...head } = body as Json
  if (elem === undefined) return [lineOf('nft', { [kind]: head })]
  const { family, table, name } = head
  const elements = (elem as unknown[]).map((element) => lineOf('nft', { element: { family, table, name, element } }))
  return [lineOf('nft', { [kind]: head }), ...elements]
}

const parse = (text: string): Json[] => (text.trim() === '' ? [] : JSON.parse(text))

const linesOf = (text: string): string[] => {
  const [links = '', ...sections] = text.split('\n---\n')
  const [route, route6, rule, rule6, qdisc, nft = '', sysctls = ''] = sections
  const plain = Object.entries({ route, route6, rule, rule6, qdisc }).flatMap(([name, json = '']) =>
    parse(json).map((object) => lineOf(name, object)),
  )
  const ruleset = nft.trim() === '' ? [] : (JSON.parse(nft) as { nftables: Json[] }).nftables
  const settings = sysctls.split('\n').filter(Boolean)
  return [
    ...parse(links).flatMap(linkLines),
    ...plain,
    ...ruleset.flatMap(nftLines),
    ...settings.map((x) => `sysctl ${x}`),
  ]
}

/** Files that outlive every attachment by design: a lock, a cursor, an index kept in a hidden folder. */
const isShared = (path: string): boolean => /\/(?:lock|last_reserved_ip[^/]*|\.[^/]+|\.[^/]+\/.*)$/.test(path)

/** The files under `folder` that belong to attachments, with their content. */
export const filesIn = (folder: string): State =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .filter((path) => !isShared(path))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => `file ${path} ${JSON.stringify(readFileSync(path, 'latin1').slice(0, 300))}`)

/** What the namespace `netns` (the node when absent) holds. */
export const kernelState = async (bed: Bed, netns?: string): Promise<State> => {
  const { stdout } = await bed.exec(['bash', '-c', SCRIPT], {}, netns)
  return linesOf(stdout).filter((line) => !isNoise(line))
}

/** What came (`+`) and went (`-`); empty: the same state. */
export const difference = (before: State, after: State): readonly string[] => {
  const [old, now] = [new Set(before), new Set(after)]
  return [
    ...before.filter((line) => !now.has(line)).map((x) => `- ${x}`),
    ...after.filter((line) => !old.has(line)).map((x) => `+ ${x}`),
  ]
}
