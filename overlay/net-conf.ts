/** flannel's network configuration (`config` in etcd, net-conf.json in Kubernetes) after parsing. Keys, defaults and bounds:
 *  flannel Documentation/configuration.md and backends.md. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'

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
