/** What this node says of itself when it asks for a lease, and what it gets. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { BackendData, Lease } from './lease.ts'
import { encodeLease } from './lease-value.ts'

export interface Claim {
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
  readonly backendType: string
  readonly data: BackendData
  readonly v6Data: BackendData
  /** Subnets of the lease this node had (from subnet.env), taken again when they are free. */
  readonly previous: readonly Cidr[]
}

export interface OwnLease {
  readonly lease: Lease
  /** Milliseconds since the epoch; undefined: never. */
  readonly expires?: number
}

/** Whether `lease` names this node's public address: flannel compares the IPv4 one (pkg/subnet/etcd `findLeaseByIP`); a
 *  node without one is known by its IPv6 address. */
export const isOwn = (lease: Lease, claim: Claim): boolean =>
  claim.publicIP === undefined
    ? claim.publicIPv6 !== undefined && lease.publicIPv6 === claim.publicIPv6
    : lease.publicIP === claim.publicIP

/** Whether `stored`, found where this node holds `lease`, is still its own: it names the address that the node has now, or
 *  says what the node wrote, whose address may be another one since. */
export const isStillOwn = (stored: Lease, { lease }: OwnLease, claim: Claim): boolean =>
  isOwn(stored, claim) || encodeLease(stored) === encodeLease(lease)
