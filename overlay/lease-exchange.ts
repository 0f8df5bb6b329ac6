/** What the plugin `vxlan` and `podwire node lease` say to each other, as JSON: a plugin is synchronous and small, what
 *  speaks to etcd or Kubernetes is neither, so it is the same executable once more. */
import type { Claim } from './claim.ts'
import type { Lease } from './lease.ts'

export interface LeaseRequest {
  /** `take`: this node's lease, taken where it has none, and for another term where it has an end. `look`: only what there
   *  is. */
  readonly question: 'take' | 'look'
  /** Options of `podwire agent` by key: `etcd-endpoints`, `iface`. */
  readonly options: Readonly<Record<string, unknown>>
  /** Subnets that this node had. */
  readonly previous: Claim['previous']
}

export interface LeaseAnswer {
  /** Text of the network configuration. */
  readonly netConf: string
  /** What the store, and not the options, gives this node. */
  readonly publicAddresses: Pick<Claim, 'publicIP' | 'publicIPv6'>
  /** Left out when there is none, and `look` took none. */
  readonly own?: Lease
  /** It was taken by this call. */
  readonly isNew: boolean
  readonly leases: readonly Lease[]
  /** Why the value of a key is no lease. */
  readonly invalid: Readonly<Record<string, string>>
}
