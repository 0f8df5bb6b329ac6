/** A lease: which node has which subnet, and how it is reached. In a store it is what flannel writes there: `lease-key.ts`,
 *  `lease-value.ts`. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'

/** What a backend publishes for one family: `BackendData` or `BackendV6Data`. */
export interface BackendData {
  /** `VtepMAC` of vxlan. */
  readonly vtepMac?: Mac
  /** `VNI` of vxlan. */
  readonly vni?: number
  /** `PublicKey` of wireguard, base64. */
  readonly publicKey?: string
  /** `Port` that wireguard listens on. */
  readonly port?: number
}

export interface Lease {
  /** What the store calls it: `10.5.52.0-24`, `10.5.52.0-24&fd00:0:0:1::-64`, or in Kubernetes the node's name. */
  readonly key: string
  /** The subnets, host bits clear. At least one is there. */
  readonly subnet?: Cidr
  readonly ipv6Subnet?: Cidr
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
  /** `BackendType`: vxlan, host-gw, wireguard, ipip; or one this node does not run. */
  readonly backendType: string
  readonly data: BackendData
  readonly v6Data: BackendData
}

/** What a lease says beside its subnets: the part that the node itself writes. */
export type LeaseAttributes = Omit<Lease, 'key' | 'subnet' | 'ipv6Subnet'>
