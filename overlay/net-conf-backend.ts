/** `Backend` of the network configuration. flannel Documentation/backends.md, pkg/backend/{vxlan,wireguard,ipip}. */
import { DecodeError, quote } from '../addr/error.ts'
import type { Shape } from '../cni/fold.ts'
import { isWireguardKey } from '../netlink/wireguard-key.ts'
import { type Members, shapeOf } from './members.ts'
import type { Backend, NetConf, VxlanBackend, WireguardBackend } from './net-conf.ts'
import { VXLAN_OVERHEAD, WIREGUARD_OVERHEAD } from './overhead.ts'

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

const MAX_VNI = 2 ** 24 - 1
const MAX_PORT = 65535
const MAX_MTU = 65535
/** The kernel's, for a device without `Port` (drivers/net/vxlan/vxlan_core.c `vxlan_port`); IANA's is 4789. */
const VXLAN_PORT = 8472
/** Least that a link can carry: RFC 791 §3.2, RFC 8200 §5. */
const LEAST_MTU = { 4: 68, 6: 1280 } as const

const SUPPORTED = ['vxlan', 'host-gw', 'wireguard', 'ipip'] as const
/** Those that flannel has too (flannel Documentation/backends.md). */
const ELSEWHERE = ['udp', 'ipsec', 'alloc', 'extension', 'tencent-vpc']

/** `MTU`; 0 means the underlay's, as when it is left out. */
const readMtu = (members: Members, { ipv6 }: Families, overhead: { readonly 4: number; readonly 6: number }) => {
  const family = ipv6 === undefined ? 4 : 6
  const mtu = members.whole('MTU', 0, MAX_MTU)
  if (!mtu) return {}
  const least = LEAST_MTU[family] + overhead[family]
  if (mtu >= least) return { mtu }
  throw new DecodeError(`${members.path}.MTU`, `${mtu} is too small: IPv${family} in this backend needs ${least}`)
}

const parseVxlan = (members: Members, families: Families): VxlanBackend => ({
  kind: 'vxlan',
  vni: members.whole('VNI', 1, MAX_VNI) ?? 1,
  port: members.whole('Port', 0, MAX_PORT) || VXLAN_PORT,
  ...readMtu(members, families, VXLAN_OVERHEAD),
  gbp: members.flag('GBP') ?? false,
  learning: members.flag('Learning') ?? false,
  directRouting: members.flag('DirectRouting') ?? false,
})

const MODES = ['separate', 'auto', 'ipv4', 'ipv6'] as const

const readMode = (members: Members): WireguardBackend['mode'] => {
  const text = members.text('Mode')
  if (text === undefined) return 'separate'
  const mode = MODES.find((name) => name === text)
  if (mode !== undefined) return mode
  throw new DecodeError(`${members.path}.Mode`, `${quote(text)} is not one of ${MODES.join(', ')}`)
}

const readPsk = (members: Members): { readonly psk?: string } => {
  const psk = members.text('PSK') ?? ''
  if (psk === '') return {}
  if (isWireguardKey(psk)) return { psk }
  throw new DecodeError(
    `${members.path}.PSK`,
    `a text of ${psk.length} characters, not 32 bytes in base64, as "wg genpsk" prints them`,
  )
}

const parseWireguard = (members: Members, families: Families): WireguardBackend => {
  const listenPort = members.whole('ListenPort', 1, MAX_PORT) ?? 51820
  const listenPortV6 = members.whole('ListenPortV6', 1, MAX_PORT) ?? 51821
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
    ...readMtu(members, families, { 4: WIREGUARD_OVERHEAD, 6: WIREGUARD_OVERHEAD }),
    mode,
    keepalive: members.whole('PersistentKeepaliveInterval', 0, MAX_PORT) ?? 0,
  }
}

const readType = (members: Members): (typeof SUPPORTED)[number] => {
  const text = members.text('Type') ?? ''
  const type = text === '' ? 'vxlan' : SUPPORTED.find((name) => name === text.toLowerCase())
  if (type !== undefined) return type
  const found = ELSEWHERE.includes(text.toLowerCase()) ? 'a backend of flannel that is not supported here' : 'unknown'
  throw new DecodeError(`${members.path}.Type`, `${quote(text)} is ${found}: use one of ${SUPPORTED.join(', ')}`)
}

const DEFAULT: VxlanBackend = {
  kind: 'vxlan',
  vni: 1,
  port: VXLAN_PORT,
  gbp: false,
  learning: false,
  directRouting: false,
}

/** The backend that `members` state; vxlan when they state none. @throws DecodeError */
export const parseBackend = (members: Members | undefined, families: Families): Backend => {
  if (members === undefined) return DEFAULT
  const type = readType(members)
  if (type === 'vxlan') return parseVxlan(members, families)
  if (type === 'wireguard') return parseWireguard(members, families)
  return type === 'host-gw' ? { kind: type } : { kind: type, directRouting: members.flag('DirectRouting') ?? false }
}
