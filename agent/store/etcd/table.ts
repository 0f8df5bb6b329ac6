/** Leases in etcd as flanneld keeps them: one key each, whose value goes when its etcd lease of 24 h does; one without an
 *  etcd lease is a reservation. flannel pkg/subnet/etcd/registry.go; its updates are unconditional, these are not. */
import { overlaps } from '../../../addr/cidr.ts'
import { type Held, LEASE_TERM } from '../../../overlay/allocation.ts'
import type { OwnLease } from '../../../overlay/claim.ts'
import type { Lease } from '../../../overlay/lease.ts'
import { encodeLease } from '../../../overlay/lease-value.ts'
import type { LeaseTable } from '../allocation.ts'
import type { EtcdClient } from './client.ts'
import { type Found, type Keys, leaseIn } from './keys.ts'
import { type KeyValue, LEASE_GRANT, LEASE_REVOKE, RANGE, TARGET_MOD, TARGET_VERSION, TXN } from './messages.ts'

/** A lease in the state that it was read in. */
export interface HeldKey extends Held {
  readonly revision: bigint
  readonly created: bigint
}

export interface EtcdTable extends LeaseTable<HeldKey> {
  /** What is under the key of a lease; undefined when there is nothing. */
  readonly read: (key: string) => Promise<(Found & { readonly kv: KeyValue }) | undefined>
}

export const heldOf = (lease: Lease, { lease: term, mod_revision, create_revision }: KeyValue): HeldKey => ({
  lease,
  reserved: term === 0n,
  revision: mod_revision,
  created: create_revision,
})

const NO_TERM = 0n
interface Term {
  /** Of etcd. */
  readonly id: bigint
  /** Milliseconds since the epoch. */
  readonly expires: number
}

/** The state of a key that a write asks for. */
const isAbsent = (key: string) => ({ key, target: TARGET_VERSION, version: 0n })
const isAt = (key: string, revision: bigint) => ({ key, target: TARGET_MOD, mod_revision: revision })

const cidrsOf = ({ subnet, ipv6Subnet }: Lease) => [subnet, ipv6Subnet].filter((cidr) => cidr !== undefined)
const collide = (a: Lease, b: Lease): boolean => cidrsOf(a).some((one) => cidrsOf(b).some((two) => overlaps(one, two)))

export const openTable = (client: EtcdClient, keys: Keys, signal: AbortSignal): EtcdTable => {
  const pathOf = ({ key }: Lease): string => `${keys.subnets}${key}`

  const grant = async (): Promise<Term> => {
    const now = Date.now()
    const seconds = BigInt(LEASE_TERM / 1000)
    const { ID, TTL } = await client.call(LEASE_GRANT, { TTL: seconds }, 'grant a lease', signal)
    return { id: ID, expires: now + Number(TTL) * 1000 }
  }
  const revoke = async ({ id }: Term): Promise<void> => {
    await client.call(LEASE_REVOKE, { ID: id }, 'revoke a lease', signal)
  }

  const put = async (compare: ReturnType<typeof isAt> | ReturnType<typeof isAbsent>, lease: Lease, term: bigint) => {
    const request_put = { key: pathOf(lease), value: encodeLease(lease), lease: term }
    const what = `write "${pathOf(lease)}"`
    const { succeeded } = await client.call(TXN, { compare: [compare], success: [{ request_put }] }, what, signal)
    return succeeded
  }

  /** Whether the key is under `term` now. A write that was not answered is sent to the next endpoint, which then refuses it
   *  for the very state it made: what etcd says of a write is not whether it was made. */
  const isUnder = async (lease: Lease, { id }: Term): Promise<boolean> => {
    const { kvs } = await client.call(RANGE, { key: pathOf(lease) }, `read "${pathOf(lease)}"`, signal)
    return kvs[0]?.lease === id
  }

  /** Puts under a new etcd lease, which is given back when nothing was written: with it goes what is under it. One of which
   *  that cannot be known is left to its end. */
  const putForTerm = async (compare: Parameters<typeof put>[0], lease: Lease): Promise<OwnLease | undefined> => {
    const term = await grant()
    const own = { lease, expires: term.expires }
    const isMade = async (): Promise<boolean> => {
      if (await isUnder(lease, term)) return true
      await revoke(term)
      return false
    }
    try {
      if (await put(compare, lease, term.id)) return own
    } catch (error) {
      if (await isMade().catch(() => false)) return own
      throw error
    }
    return (await isMade()) ? own : undefined
  }

  const found = async () => {
    const what = `list "${keys.subnets}"`
    const { kvs } = await client.call(RANGE, { key: keys.subnets, range_end: keys.end }, what, signal)
    return kvs.map((kv) => ({ ...leaseIn(keys, kv), kv }))
  }

  const list: EtcdTable['list'] = async () => {
    const all = await found()
    return {
      leases: all.flatMap((each) => (each.kind === 'lease' ? heldOf(each.lease, each.kv) : [])),
      invalid: all.flatMap((each) => (each.kind === 'invalid' ? each.key : [])),
    }
  }

  const remove: EtcdTable['remove'] = async ({ lease, revision }) => {
    const request = {
      compare: [isAt(pathOf(lease), revision)],
      success: [{ request_delete_range: { key: pathOf(lease) } }],
    }
    await client.call(TXN, request, `remove "${pathOf(lease)}"`, signal)
  }

  /** Keys differ where one family of two is the same: of two such leases that were made at once the later one yields. */
  const yields = async (lease: Lease): Promise<boolean> => {
    const { leases } = await list()
    const mine = leases.find((held) => held.lease.key === lease.key)
    if (mine === undefined) return true
    const isLater = leases.some((held) => held.created < mine.created && collide(held.lease, lease))
    if (isLater) await remove(mine)
    return isLater
  }

  return {
    list,
    remove,
    create: async (lease) => {
      const own = await putForTerm(isAbsent(pathOf(lease)), lease)
      const hasBoth = lease.subnet !== undefined && lease.ipv6Subnet !== undefined
      return own !== undefined && hasBoth && (await yields(lease)) ? undefined : own
    },
    update: async ({ reserved, revision }, lease) => {
      const compare = isAt(pathOf(lease), revision)
      if (!reserved) return putForTerm(compare, lease)
      return (await put(compare, lease, NO_TERM)) ? { lease } : undefined
    },
    read: async (key) => {
      const { kvs } = await client.call(RANGE, { key: `${keys.subnets}${key}` }, `read "${keys.subnets}${key}"`, signal)
      const [kv] = kvs
      return kv === undefined ? undefined : { ...leaseIn(keys, kv), kv }
    },
  }
}
