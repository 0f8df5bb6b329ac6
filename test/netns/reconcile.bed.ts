/** A node of `support/node.ts` with plans as an overlay makes them, and what its kernel holds, read by `ip` and `bridge`:
 *
 *      flannel.1     VNI 1, over up0 from 192.0.2.1    10.244.0.0/32       peers 10.244.N.0/24 behind 198.51.100.N
 *      flannel-v6.1  VNI 1, over up0 from 2001:db8::1  fd00:244:0:ff::/128 peers fd00:244:0:N::/64 behind 2001:db8:1::N */
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { type Outcome, resync, type Scope } from '../../kernel/reconcile.ts'
import { RTPROT_PODWIRE } from '../../netlink/route.ts'
import { kernelOf } from '../support/in-process.ts'
import { ipJson, mustIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6 } from '../support/node.ts'

export const cidr = (text: string): Cidr => text as Cidr
export const ip = (text: string): Ip => text as Ip
export const mac = (text: string): Mac => text as Mac

const hex = (n: number): string => n.toString(16).padStart(2, '0')
export const macOf = (n: number): Mac => mac(`0e:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`)

const device = (name: string, local: string, mtu: number, own: Mac): Fact => ({
  kind: 'link',
  ns: 'node',
  name,
  device: { kind: 'vxlan', vni: 1, port: 8472, local: ip(local), dev: 'up0', learning: false, gbp: false },
  settings: { mac: own, mtu, up: true },
  replace: true,
})

/** The two devices with their addresses. */
export const BASE: Plan = [
  device('flannel.1', NODE_IPV4, 1450, mac('0e:ff:00:00:00:04')),
  device('flannel-v6.1', NODE_IPV6, 1430, mac('0e:ff:00:00:00:06')),
  { kind: 'addr', ns: 'node', dev: 'flannel.1', address: cidr('10.244.0.0/32') },
  { kind: 'addr', ns: 'node', dev: 'flannel-v6.1', address: cidr('fd00:244:0:ff::/128') },
]

export const SCOPE: Scope = {
  devices: ['flannel.1', 'flannel-v6.1'],
  carriers: ['up0'],
  networks: [cidr('10.244.0.0/16'), cidr('fd00:244::/48')],
}

/** What leads to `subnet`, whose VTEP is at its base address. */
export const entriesTo = (dev: string, subnet: Cidr, lladdr: Mac, endpoint: Ip): Plan => {
  const vtep = ip(subnet.slice(0, subnet.indexOf('/')))
  const entry = { kind: 'neigh', ns: 'node', dev, lladdr, protocol: RTPROT_PODWIRE } as const
  return [
    { ...entry, table: 'neigh', ip: vtep },
    { ...entry, table: 'fdb', ip: endpoint },
    { kind: 'route', ns: 'node', dev, dst: subnet, via: vtep, onlink: true, protocol: RTPROT_PODWIRE },
  ]
}

/** Peer `n`, 1 to 250; `version` another MAC and another endpoint. */
export const peer = (n: number, version = 0): Plan => [
  ...entriesTo('flannel.1', cidr(`10.244.${n}.0/24`), macOf(n + 256 * version), ip(`198.51.${100 + version}.${n}`)),
  ...entriesTo(
    'flannel-v6.1',
    cidr(`fd00:244:0:${n.toString(16)}::/64`),
    macOf(n + 256 * (version + 64)),
    ip(`2001:db8:${1 + version}::${n.toString(16)}`),
  ),
]

/** Peer `n` reached over the underlay itself, as with DirectRouting. */
export const directPeer = (n: number): Plan => [
  {
    kind: 'route',
    ns: 'node',
    dev: 'up0',
    dst: cidr(`10.244.${n}.0/24`),
    via: ip(`192.0.2.${n}`),
    protocol: RTPROT_PODWIRE,
  },
  {
    kind: 'route',
    ns: 'node',
    dev: 'up0',
    dst: cidr(`fd00:244:0:${n.toString(16)}::/64`),
    via: ip(`2001:db8::${n.toString(16)}`),
    protocol: RTPROT_PODWIRE,
  },
]

export const planOf = (...peers: readonly Plan[]): Plan => [...BASE, ...peers.flat()]

export const makeReconcileBed = (): string => makeNode(0, 'reconcile').node

export const resyncIn = (node: string, plan: Plan, scope: Scope = SCOPE): Outcome =>
  kernelOf(node, undefined, (kernel) => resync(plan, scope, kernel))

/** What was done, a line each: `missing ip route add ...`. */
export const changesOf = ({ changes }: Outcome): string[] => changes.map(({ what, why }) => `${why} ${what}`)
export const failuresOf = ({ failures }: Outcome): string[] => failures.map(({ error }) => String(error))

type Row = Readonly<Record<string, unknown>>

const onlink = ({ flags }: Row): string => (Array.isArray(flags) && flags.includes('onlink') ? ' onlink' : '')
const isMade = ({ protocol, type }: Row): boolean =>
  protocol !== 'kernel' && protocol !== 'ra' && (type === 'unicast' || type === 'blackhole')
/** A prefix of full length is shown without it. */
const full = (dst: unknown): string => {
  const text = String(dst)
  if (text === 'default' || text.includes('/')) return text
  return `${text}/${text.includes(':') ? 128 : 32}`
}

const routeLine = (row: Row): string =>
  row['type'] === 'blackhole'
    ? `blackhole ${full(row['dst'])} proto ${row['protocol']} metric ${row['metric'] ?? 0}`
    : `route ${full(row['dst'])} via ${row['gateway'] ?? '-'} dev ${row['dev']} proto ${row['protocol']} metric ${row['metric'] ?? 0}${onlink(row)}`

const neighLine = (row: Row): string =>
  `neigh ${row['dst']} ${row['lladdr']} dev ${row['dev']} proto ${row['protocol'] ?? '-'}`

const addressLines = ({ ifname, addr_info }: Row): string[] =>
  (Array.isArray(addr_info) ? (addr_info as readonly Row[]) : [])
    .filter(({ scope }) => scope !== 'link')
    .map(({ local, prefixlen }) => `addr ${local}/${prefixlen} dev ${ifname}`)

const linkLine = (row: Row): string => {
  const { info_data: data } = row['linkinfo'] as { readonly info_data: Row }
  const up = (row['flags'] as readonly string[]).includes('UP')
  return `link ${row['ifname']} ${row['address']} mtu ${row['mtu']} id ${data['id']} port ${data['port']} local ${data['local'] ?? data['local6']} dev ${data['link']} learning ${data['learning']} up ${up}`
}

const fdbRows = (node: string): readonly Row[] => JSON.parse(mustIn(node, ['bridge', '-j', 'fdb', 'show']))

/** Everything of an overlay's sort that `node` holds, whoever made it, but for what the kernel makes by itself. Sorted. */
export const held = (node: string): string[] =>
  [
    ...ipJson(node, 'link', 'show', 'type', 'vxlan').map(linkLine),
    ...ipJson(node, 'addr', 'show').flatMap(addressLines),
    ...ipJson(node, '-4', 'route', 'show', 'table', 'all').filter(isMade).map(routeLine),
    ...ipJson(node, '-6', 'route', 'show', 'table', 'all').filter(isMade).map(routeLine),
    ...ipJson(node, '-4', 'neigh', 'show', 'nud', 'permanent').map(neighLine),
    ...ipJson(node, '-6', 'neigh', 'show', 'nud', 'permanent').map(neighLine),
    ...fdbRows(node)
      .filter(({ dst }) => dst !== undefined)
      .map((row) => `fdb ${row['mac']} dst ${row['dst']} dev ${row['ifname']}`),
  ].sort()

/** The lines that `plan` alone would add to `held`. */
export const linesOf = (plan: Plan): string[] =>
  plan.map((fact): string => {
    switch (fact.kind) {
      case 'link': {
        const { name, settings, device: is } = fact
        if (is.kind !== 'vxlan') return ''
        return `link ${name} ${settings.mac} mtu ${settings.mtu} id ${is.vni} port ${is.port} local ${is.local} dev ${is.dev} learning ${is.learning} up true`
      }
      case 'addr':
        return `addr ${fact.address} dev ${fact.dev}`
      case 'route':
        return `route ${fact.dst} via ${fact.via ?? '-'} dev ${fact.dev} proto ${fact.protocol} metric ${fact.priority ?? (fact.dst.includes(':') ? 1024 : 0)}${fact.onlink ? ' onlink' : ''}`
      case 'blackhole':
        return `blackhole ${fact.dst} proto ${fact.protocol} metric ${fact.priority ?? 4096}`
      case 'neigh':
        return fact.table === 'fdb'
          ? `fdb ${fact.lladdr} dst ${fact.ip} dev ${fact.dev}`
          : `neigh ${fact.ip} ${fact.lladdr} dev ${fact.dev} proto ${fact.protocol}`
      default:
        return ''
    }
  })

/** What a node holds that has what `before` says, and `plan`. */
export const withPlan = (before: readonly string[], plan: Plan): string[] => [...before, ...linesOf(plan)].sort()
