/** The result of ADD as every plugin and planner sees it: the shape of specification 1.1.0. `cni/version.ts` converts from
 *  and to the older shapes at the edge. SPEC.md §5 Success. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'

export interface Interface {
  readonly name: string
  readonly mac?: string
  /** Bytes; 0 or absent: not stated. */
  readonly mtu?: number
  /** Path of the network namespace; absent for an interface of the node. */
  readonly sandbox?: string
  readonly socketPath?: string
  readonly pciID?: string
}

export interface IpConfig {
  /** With the prefix length of its subnet. */
  readonly address: Cidr
  readonly gateway?: Ip
  /** Index into `interfaces`; absent in the result of an IPAM plugin. */
  readonly interface?: number
}

export interface Route {
  readonly dst: Cidr
  readonly gw?: Ip
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
}

export interface Dns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
}

export interface Result {
  readonly cniVersion?: string
  readonly interfaces?: readonly Interface[]
  readonly ips?: readonly IpConfig[]
  readonly routes?: readonly Route[]
  readonly dns?: Dns
}
