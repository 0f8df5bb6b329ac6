/** flannel's network configuration (`config` in etcd, net-conf.json in Kubernetes). Keys, defaults and bounds: flannel
 *  pkg/subnet/config.go, Documentation/configuration.md and backends.md; what differs stands in docs/node-layer.md. */
import type { Cidr } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import type { Ip } from '../addr/ip.ts'
import type { Shape } from '../cni/fold.ts'
import { type Members, membersOf, parseJsonText } from './members.ts'
import { BACKEND_SHAPE, parseBackend } from './net-conf-backend.ts'
import { FAMILY_KEYS, parseFamily } from './net-conf-family.ts'

/** What one address family is given. */
export interface FamilyConf {
  /** `Network` or `IPv6Network`, its host bits clear. */
  readonly network: Cidr
  /** `SubnetLen` or `IPv6SubnetLen`: prefix length of a node's subnet. */
  readonly subnetLen: number
  /** First and last subnet (their network addresses) that may be handed out, both included. */
  readonly subnetMin: Ip
  readonly subnetMax: Ip
}

export interface VxlanBackend {
  readonly kind: 'vxlan'
  /** `VNI`, 1 to 2^24-1. */
  readonly vni: number
  /** `Port`, UDP. */
  readonly port: number
  /** `MTU` of the underlay, bytes; left out: the underlay's own. */
  readonly mtu?: number
  readonly gbp: boolean
  readonly learning: boolean
  readonly directRouting: boolean
}

export interface WireguardBackend {
  readonly kind: 'wireguard'
  readonly listenPort: number
  readonly listenPortV6: number
  /** `PSK`, base64 of 32 bytes. */
  readonly psk?: string
  readonly mtu?: number
  readonly mode: 'separate' | 'auto' | 'ipv4' | 'ipv6'
  /** `PersistentKeepaliveInterval`, seconds; 0: none. */
  readonly keepalive: number
}

export interface IpipBackend {
  readonly kind: 'ipip'
  readonly directRouting: boolean
}

export type Backend = VxlanBackend | { readonly kind: 'host-gw' } | WireguardBackend | IpipBackend

/** At least one family is there. */
export interface NetConf {
  readonly ipv4?: FamilyConf
  readonly ipv6?: FamilyConf
  readonly backend: Backend
}

const TOP = ['EnableIPv4', 'EnableIPv6', 'EnableNFTables', ...FAMILY_KEYS]
const SHAPE: Shape = {
  keys: {
    ...Object.fromEntries(TOP.map((name) => [name.toLowerCase(), [name] as const])),
    backend: ['Backend', BACKEND_SHAPE],
  },
}

const parseFamilies = (members: Members): Pick<NetConf, 'ipv4' | 'ipv6'> => {
  const ipv4 = parseFamily(members, 4, members.flag('EnableIPv4') ?? true)
  const ipv6 = parseFamily(members, 6, members.flag('EnableIPv6') ?? false)
  if (ipv4 === undefined && ipv6 === undefined)
    throw new DecodeError(`${members.path}.EnableIPv4`, 'false, and EnableIPv6 is not true: one of them must be')
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) }
}

/** ipip encapsulates IPv4 alone (net/ipv4/ipip.c). */
const requireFamilies = (conf: NetConf, path: string): NetConf => {
  if (conf.backend.kind !== 'ipip') return conf
  if (conf.ipv6 !== undefined)
    throw new DecodeError(`${path}.EnableIPv6`, 'true, and ipip carries IPv4 alone: use vxlan, wireguard or host-gw')
  return conf
}

/** Errors at these paths quote the whole of what stands there. */
const WHOLE = ['$', '$.Backend']

const withoutPsk = (error: DecodeError): DecodeError =>
  WHOLE.includes(error.path)
    ? new DecodeError(
        error.path,
        'it is not a JSON object, and is not shown, since it has a preshared key: "jq ." says where it is wrong',
      )
    : error

const parse = (text: string): NetConf => {
  const members = membersOf(parseJsonText(text, '$'), '$', SHAPE)
  members.flag('EnableNFTables')
  const families = parseFamilies(members)
  return requireFamilies({ ...families, backend: parseBackend(members.inner('Backend'), families) }, members.path)
}

/** `text` as a network configuration. Keys are matched as Go matches them; those of other platforms and unknown ones are
 *  tolerated. @throws DecodeError with the key, its value and what is allowed */
export const parseNetConf = (text: string): NetConf => {
  try {
    return parse(text)
  } catch (error) {
    throw error instanceof DecodeError && /psk/i.test(text) ? withoutPsk(error) : error
  }
}
