/** What a store of leases is: the file, etcd and kubernetes stores are each one value of `LeaseStore`. Nothing here retries:
 *  a failure is an error, and the agent backs off and calls again while what it last knew stays programmed. */
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { BackendData, Lease } from '../../overlay/lease.ts'
import type { NetConf } from '../../overlay/net-conf.ts'

/** What this node says of itself when it asks for a lease. */
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

/** What changed in the store. A value that is no lease is an `invalid` event: it stays known by its key until it is
 *  changed or removed. */
export type LeaseEvent =
  | { readonly kind: 'set'; readonly lease: Lease }
  | { readonly kind: 'invalid'; readonly key: string; readonly why: string }
  | { readonly kind: 'gone'; readonly key: string }
  /** All of it, after a first read and whenever events may have been missed (watch gap, compaction, reconnection). */
  | { readonly kind: 'all'; readonly leases: readonly Lease[]; readonly invalid: ReadonlyMap<string, string> }

export interface LeaseStore {
  /** The text of the network configuration. @throws StoreError when there is none, or the store cannot be reached */
  readonly readNetConf: (signal: AbortSignal) => Promise<string>
  /** This node's lease: the one that names its public address, else the previous one, else a new one; never one that
   *  another node holds, however many ask at once. @throws StoreError */
  readonly acquire: (claim: Claim, conf: NetConf, signal: AbortSignal) => Promise<OwnLease>
  /** Holds the lease for another term. @throws LeaseLost when it is another's now or gone; StoreError */
  readonly renew: (own: OwnLease, claim: Claim, signal: AbortSignal) => Promise<OwnLease>
  /** Reports `all` first and every change after it, the own lease included, until `signal` aborts (then it resolves).
   *  @throws StoreError when the source is lost */
  readonly watch: (listener: (event: LeaseEvent) => void, signal: AbortSignal) => Promise<void>
  readonly close: () => void
}

/** The store cannot be used now: what was asked of whom, and why not. Trying again may help. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}

/** The own lease is not this node's any more: a new one must be acquired. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}
