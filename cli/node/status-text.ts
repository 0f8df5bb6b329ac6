/** What `podwire node status` prints. */
import type { AgentStatus, DriftStatus, PassStatus, PeerStatus } from '../../agent/status.ts'
import type { Backend, NetConf } from '../../overlay/net-conf.ts'
import { count, renderTable } from '../screen.ts'
import type { OverlayLink, Remains } from './remains.ts'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** A span of time in its largest unit: `3 s`, `2 h`. */
export const renderSpan = (ms: number): string => {
  const [unit, size] = UNITS.find(([, each]) => ms >= each) ?? ['s', 1000]
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`
}

const ago = (time: string, now: number): string => `${renderSpan(now - Date.parse(time))} ago`

/** Milliseconds, as exact as they matter. */
export const renderMs = (ms: number): string => `${ms < 10 ? Math.max(ms, 0.01).toFixed(2) : ms.toFixed(0)} ms`

/** A name and what is to be said of it; lines without anything to say are left out. */
type Line = readonly [name: string, text: string | undefined]

const WIDTH = 11
const renderLines = (lines: readonly Line[]): string =>
  lines.map(([name, text]) => (text === undefined || text === '' ? '' : `${name.padEnd(WIDTH)}${text}\n`)).join('')

const list = (...parts: readonly (string | undefined | false)[]): string => parts.filter(Boolean).join(', ')

const backendText = (backend: Backend): string => {
  switch (backend.kind) {
    case 'vxlan':
      return list(
        `vxlan (VNI ${backend.vni}, UDP port ${backend.port})`,
        backend.directRouting && 'DirectRouting',
        backend.gbp && 'GBP',
        backend.learning && 'Learning',
      )
    case 'wireguard':
      return `wireguard (UDP port ${backend.listenPort}, mode ${backend.mode})`
    case 'ipip':
      return list('ipip', backend.directRouting && 'DirectRouting')
    case 'host-gw':
      return 'host-gw'
    default:
      return backend satisfies never
  }
}

const networkText = ({ ipv4, ipv6, backend }: NetConf): string =>
  list(ipv4?.network, ipv6?.network, backendText(backend))

const storeText = ({ store }: AgentStatus, now: number): string =>
  list(
    `${store.kind} ${store.where}`,
    store.isWatching ? 'watched' : 'not watched',
    store.lastEvent && `last event ${ago(store.lastEvent, now)}`,
    store.error &&
      `${store.error}${store.retryAt === undefined ? '' : ` (tried again in ${renderSpan(Date.parse(store.retryAt) - now)})`}`,
  )

const leaseText = ({ lease, missing }: AgentStatus, now: number): string => {
  if (lease === undefined) return `none: ${missing.join('; ')}`
  const left = lease.expires === undefined ? undefined : Date.parse(lease.expires) - now
  const term = left === undefined ? 'never expires' : left > 0 ? `expires in ${renderSpan(left)}` : 'has expired'
  return list(lease.subnet, lease.ipv6Subnet, term, `MTU ${lease.mtu}`)
}

const underlayText = ({ underlay, lease, underlayTrouble }: AgentStatus): string | undefined => {
  if (underlay === undefined) return underlayTrouble
  const own = [underlay.ipv4, underlay.ipv6].filter((ip) => ip !== undefined)
  const others = [lease?.publicIP, lease?.publicIPv6].filter((ip) => ip !== undefined && !own.includes(ip))
  return list(
    `${underlay.name} ${own.join(' ')}`,
    `MTU ${underlay.mtu}`,
    others.length > 0 && `reached by ${others.join(' ')}`,
    underlayTrouble,
  )
}

const passText = (name: string, { at, kind, ms, changes }: PassStatus, now: number): string =>
  `${name} ${kind} ${ago(at, now)} (${renderMs(ms)}, ${count(changes, 'change')})`

const kernelText = ({ passes, failures, rssMiB }: AgentStatus, now: number): string =>
  list(
    passes.last && passText('last', passes.last, now),
    passes.lastResync && `compared in full ${ago(passes.lastResync, now)}`,
    `${count(passes.mended, 'fact')} mended`,
    failures.length > 0 && `${failures.length} refused`,
    `${rssMiB} MiB of memory`,
  )

const headText = (status: AgentStatus, now: number): string => {
  const { pid, version, started, isReady, missing } = status
  const state = isReady ? 'ready' : `not ready: ${missing.join('; ')}`
  return renderLines([
    ['agent', `${state} (pid ${pid}, podwire ${version}, up ${renderSpan(now - Date.parse(started))})`],
    ['store', storeText(status, now)],
    ['network', status.netConf && networkText(status.netConf)],
    ['refused', status.netConfRefused && `a newer network configuration: ${status.netConfRefused}`],
    ['lease', leaseText(status, now)],
    ['devices', status.devices.join(', ')],
    ['underlay', underlayText(status)],
    ['kernel', kernelText(status, now)],
  ])
}

const peerRow = ({ key, subnet, ipv6Subnet, publicIP, publicIPv6, probe }: PeerStatus, now: number): string[] => {
  const subnets = [subnet, ipv6Subnet].filter((each) => each !== undefined).join(' ')
  const address = [publicIP, publicIPv6].filter((each) => each !== undefined).join(' ')
  const reach = probe === undefined ? '?' : probe.isReachable ? 'yes' : 'NO'
  const seen =
    probe?.lastReachable === undefined ? (probe === undefined ? '-' : 'never') : ago(probe.lastReachable, now)
  return [key, subnets, address, reach, probe?.rtt === undefined ? '-' : renderMs(probe.rtt), seen]
}

const summary = ({ peers }: AgentStatus): string => {
  const probed = peers.filter(({ probe }) => probe !== undefined)
  const reachable = probed.filter(({ probe }) => probe?.isReachable === true).length
  if (peers.length === 0) return 'no peers\n'
  return `${count(peers.length, 'peer')}: ${reachable} reachable, ${probed.length - reachable} not, ${peers.length - probed.length} not probed yet\n`
}

const DRIFT_SHOWN = 10
const driftRow = ({ at, why, ms, what }: DriftStatus, now: number): string[] => [
  ...[ago(at, now), why, renderMs(ms)],
  what.replaceAll('\n', '; '),
]

const driftText = ({ drift }: AgentStatus, now: number): string => {
  const shown = drift.slice(-DRIFT_SHOWN).toReversed()
  const rest = drift.length - shown.length
  const table = renderTable(
    ['DRIFT', 'WAS', 'MENDED IN', 'FACT'],
    shown.map((each) => driftRow(each, now)),
  )
  return rest === 0 ? table : `${table}and ${rest} more (--json has them)\n`
}

/** Peers that do not answer first. */
const rank = ({ probe }: PeerStatus): number => (probe === undefined ? 1 : probe.isReachable ? 2 : 0)

/** The agent's state as text; `now` in milliseconds since the epoch. */
export const renderStatus = (status: AgentStatus, now: number): string => {
  const peers = status.peers.toSorted(
    (a, b) => rank(a) - rank(b) || a.key.localeCompare(b.key, 'en', { numeric: true }),
  )
  const sections = [
    headText(status, now),
    renderTable(
      ['PEER', 'SUBNET', 'PUBLIC IP', 'REACHABLE', 'RTT', 'LAST SEEN'],
      peers.map((each) => peerRow(each, now)),
    ) + summary(status),
    renderTable(
      ['REJECTED LEASE', 'WHY'],
      status.rejected.map(({ key, why }) => [key, why]),
    ),
    renderTable(
      ['REFUSED BY THE KERNEL', 'WHY'],
      status.failures.map(({ what, error }) => [what, error]),
    ),
    driftText(status, now),
  ]
  return sections.filter((section) => section !== '').join('\n')
}

const linkRow = ({ name, kind, up, mtu, addresses, routes, neighbours, fdb }: OverlayLink): string[] => [
  ...[name, kind, up ? 'up' : 'down', String(mtu), addresses.join(' '), String(routes)],
  ...[String(neighbours), String(fdb)],
]

const subnetFileText = ({ path, env, why }: Remains['subnetFile']): string =>
  env === undefined
    ? `${path}: ${why}`
    : `${path}: ${list(env.subnet, env.ipv6Subnet, `of ${[...env.networks, ...env.ipv6Networks].join(' ')}`, `MTU ${env.mtu}`)}`

/** What a node without an agent shows. */
export const renderRemains = ({ links, subnetFile }: Remains): string => {
  const table = renderTable(
    ['DEVICE', 'KIND', 'STATE', 'MTU', 'ADDRESSES', 'ROUTES', 'NEIGHBOURS', 'FDB'],
    links.map(linkRow),
  )
  return `${table === '' ? 'This node has no device of an overlay.\n' : table}${subnetFileText(subnetFile)}\n`
}
