/** Leases in etcd v3 with flannel's keys, values, terms and compare-and-swap, so that nodes with flanneld and nodes with
 *  podwire are one network. flannel pkg/subnet/etcd. */
import { leaseOf, lostRaces, RACE_RETRIES } from '../../overlay/allocation.ts'
import { type Claim, isStillOwn, type OwnLease } from '../../overlay/claim.ts'
import { acquireLease } from './allocation.ts'
import { openClient } from './etcd/client.ts'
import type { Keepalive } from './etcd/connection.ts'
import { keysOf } from './etcd/keys.ts'
import { RANGE } from './etcd/messages.ts'
import { type EtcdTable, type HeldKey, heldOf, openTable } from './etcd/table.ts'
import { watchLeases } from './etcd/watch.ts'
import { LeaseLost, type LeaseStore, StoreError } from './store.ts'

/** By the names of the agent's options; '' is none. */
export interface EtcdStoreOptions {
  readonly etcdEndpoints: string
  readonly etcdPrefix: string
  readonly etcdCafile: string
  readonly etcdCertfile: string
  readonly etcdKeyfile: string
  readonly etcdUsername: string
  readonly etcdPassword: string
  readonly keepalive?: Keepalive
  /** How long an endpoint may take for an answer, in ms. */
  readonly patience?: number
}

const KEEPALIVE: Keepalive = { time: 10_000, timeout: 5000 }
const PATIENCE = 5000

/** The own lease as it is now. @throws LeaseLost when it is gone or another's */
const ownIn = async (table: EtcdTable, own: OwnLease, claim: Claim): Promise<HeldKey> => {
  const { lease } = own
  const found = await table.read(lease.key)
  if (found === undefined)
    throw new LeaseLost(`the own lease ${lease.key} is not in etcd any more: it ended or was removed`)
  if (found.kind === 'invalid') throw new LeaseLost(`the own lease is one no more: ${found.why}`)
  if (isStillOwn(found.lease, own, claim)) return heldOf(found.lease, found.kv)
  const holder = found.lease.publicIP ?? found.lease.publicIPv6 ?? 'nobody'
  throw new LeaseLost(`the own lease ${lease.key} is now that of ${holder}`)
}

/** As flanneld renews: the value again, under a new etcd lease. @throws LeaseLost, StoreError */
const renewLease = async (table: EtcdTable, own: OwnLease, claim: Claim): Promise<OwnLease> => {
  for (let tries = 0; tries < RACE_RETRIES; tries++) {
    const held = await ownIn(table, own, claim)
    const renewed = await table.update(held, leaseOf(claim, held.lease, held.lease.key))
    if (renewed !== undefined) return renewed
  }
  throw lostRaces(RACE_RETRIES)
}

/** @throws StoreError for endpoints that are none */
export const openEtcdStore = (options: EtcdStoreOptions): LeaseStore => {
  const { keepalive = KEEPALIVE, patience = PATIENCE } = options
  const client = openClient({
    endpoints: options.etcdEndpoints,
    cafile: options.etcdCafile,
    certfile: options.etcdCertfile,
    keyfile: options.etcdKeyfile,
    username: options.etcdUsername,
    password: options.etcdPassword,
    keepalive,
    patience,
  })
  const keys = keysOf(options.etcdPrefix)
  return {
    readNetConf: async (signal) => {
      const { kvs } = await client.call(RANGE, { key: keys.config }, `read "${keys.config}"`, signal)
      const [kv] = kvs
      if (kv !== undefined) return kv.value
      throw new StoreError(
        `etcd has no "${keys.config}": etcdctl put ${keys.config} '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}' writes one`,
      )
    },
    acquire: (claim, conf, signal) => acquireLease(openTable(client, keys, signal), claim, conf),
    renew: (own, claim, signal) => renewLease(openTable(client, keys, signal), own, claim),
    watch: (listener, signal) => watchLeases({ client, keys, listener, signal, patience }),
    close: client.close,
  }
}
