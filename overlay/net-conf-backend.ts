/** `Backend` of the network configuration. flannel Documentation/backends.md, pkg/backend/{vxlan,wireguard,ipip}. */
import { DecodeError, quote } from '../addr/error.ts'
import type { Shape } from '../cni/fold.ts'
import { isWireguardKey } from '../netlink/wireguard-key.ts'
import { MAX_PORT, MAX_VNI } from './limits.ts'
import { type Members, shapeOf } from './members.ts'
import type { Backend, NetConf, VxlanBackend, WireguardBackend } from './net-conf.ts'
import { leastMtu } from './overhead.ts'

export const BACKEND_SHAPE: Shape = shapeOf(
  'Type',
  'VNI',
  'Port',
  'MTU',
  'GBP',
  'Learning',
  'DirectRouting',
  'ListenPort',
  'ListenPortV6',
  'PSK',
  'Mode',
  'PersistentKeepaliveInterval',
)

type Families = Pick<NetConf, 'ipv4' | 'ipv6'>

const MAX_MTU = 65535
/** Seconds; 16 bits (linux/wireguard.h WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL). */
const MAX_KEEPALIVE = 65535
const SUPPORTED = ['vxlan', 'host-gw', 'wireguard', 'ipip'] as const
/** Those that flannel has too (flannel Documentation/backends.md). */
const ELSEWHERE = ['udp', 'ipsec', 'alloc', 'extension', 'tencent-vpc']

/** `MTU`; 0 means the underlay's, as when it is left out. */
const readMtu = (members: Members, { ipv6 }: Families, kind: Backend['kind']): { readonly mtu?: number } => {
  const family = ipv6 === undefined ? 4 : 6
  const mtu = members.whole('MTU', 0, MAX_MTU)
  if (!mtu) return {}
  const least = leastMtu(kind, family)
  if (mtu >= least) return { mtu }
  throw new DecodeError(`${members.path}.MTU`, `${mtu} is too small: IPv${family} in this backend needs ${least}`)
}

/** What `vxlan` is without keys. The port is the kernel's for a device without one (drivers/net/vxlan/vxlan_core.c
 *  `vxlan_port`); IANA's is 4789. */
export const DEFAULT_VXLAN: VxlanBackend = {
  kind: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  learning: false,
  directRouting: false,
}

/** What `wireguard` is without keys. */
export const DEFAULT_WIREGUARD: WireguardBackend = {
  kind: 'wireguard',
  listenPort: 51820,
  listenPortV6: 51821,
  mode: 'separate',
  keepalive: 0,
}

const parseVxlan = (members: Members, families: Families): VxlanBackend => ({
  kind: 'vxlan',
  vni: members.whole('VNI', 1, MAX_VNI) ?? DEFAULT_VXLAN.vni,
  port: members.whole('Port', 0, MAX_PORT) || DEFAULT_VXLAN.port,
  ...readMtu(members, families, 'vxlan'),
  gbp: members.flag('GBP') ?? DEFAULT_VXLAN.gbp,
  learning: members.flag('Learning') ?? DEFAULT_VXLAN.learning,
  directRouting: members.flag('DirectRouting') ?? DEFAULT_VXLAN.directRouting,
})

const MODES = ['separate', 'auto', 'ipv4', 'ipv6'] as const

const readMode = (members: Members): WireguardBackend['mode'] => {
  const text = members.text('Mode')
  if (text === undefined) return DEFAULT_WIREGUARD.mode
  const mode = MODES.find((name) => name === text)
  if (mode !== undefined) return mode
  throw new DecodeError(`${members.path}.Mode`, `${quote(text)} is not one of ${MODES.join(', ')}`)
}

const readPsk = (members: Members): { readonly psk?: string } => {
  const psk = members.any('PSK') ?? ''
  if (psk === '') return {}
  if (typeof psk !== 'string') throw new DecodeError(`${members.path}.PSK`, 'it is not a string')
  if (isWireguardKey(psk)) return { psk }
  throw new DecodeError(
    `${members.path}.PSK`,
    `a text of ${psk.length} characters, not 32 bytes in base64, as "wg genpsk" prints them`,
  )
}

const parseWireguard = (members: Members, families: Families): WireguardBackend => {
  const listenPort = members.whole('ListenPort', 1, MAX_PORT) ?? DEFAULT_WIREGUARD.listenPort
  const listenPortV6 = members.whole('ListenPortV6', 1, MAX_PORT) ?? DEFAULT_WIREGUARD.listenPortV6
  const mode = readMode(members)
  if (mode === 'separate' && families.ipv4 && families.ipv6 && listenPort === listenPortV6)
    throw new DecodeError(
      `${members.path}.ListenPortV6`,
      `${listenPortV6} is ListenPort too: "separate" needs two ports`,
    )
  return {
    kind: 'wireguard',
    listenPort,
    listenPortV6,
    ...readPsk(members),
    ...readMtu(members, families, 'wireguard'),
    mode,
    keepalive: members.whole('PersistentKeepaliveInterval', 0, MAX_KEEPALIVE) ?? DEFAULT_WIREGUARD.keepalive,
  }
}

const readType = (members: Members): (typeof SUPPORTED)[number] => {
  const text = members.text('Type') ?? ''
  const type = text === '' ? 'vxlan' : SUPPORTED.find((name) => name === text.toLowerCase())
  if (type !== undefined) return type
  const found = ELSEWHERE.includes(text.toLowerCase()) ? 'a backend of flannel that is not supported here' : 'unknown'
  throw new DecodeError(`${members.path}.Type`, `${quote(text)} is ${found}: use one of ${SUPPORTED.join(', ')}`)
}

/** The backend that `members` state; vxlan when they state none. @throws DecodeError */
export const parseBackend = (members: Members | undefined, families: Families): Backend => {
  if (members === undefined) return DEFAULT_VXLAN
  const type = readType(members)
  if (type === 'vxlan') return parseVxlan(members, families)
  if (type === 'wireguard') return parseWireguard(members, families)
  return type === 'host-gw' ? { kind: type } : { kind: type, directRouting: members.flag('DirectRouting') ?? false }
}
