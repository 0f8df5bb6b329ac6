/** What a store of leases is: the file, etcd and kubernetes stores are each one value of `LeaseStore`. Nothing here retries:
 *  a failure is an error, and the agent backs off and calls again while what it last knew stays programmed. */
import type { Claim, OwnLease } from '../../overlay/claim.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { NetConf } from '../../overlay/net-conf.ts'

export type { Claim, OwnLease } from '../../overlay/claim.ts'
export { LeaseLost, StoreError } from '../../overlay/store-error.ts'

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
  /** Public addresses that the store, and not this node's options, gives this node: they precede the options. Left out by a
   *  store that has none to give. @throws StoreError */
  readonly publicAddresses?: (signal: AbortSignal) => Promise<Pick<Claim, 'publicIP' | 'publicIPv6'>>
  /** Tells whom it concerns that the overlay works on this node: once the kernel has it and subnet.env is written. Left out
   *  by a store that nobody asks. @throws StoreError */
  readonly reportReady?: (signal: AbortSignal) => Promise<void>
  readonly close: () => void
}
