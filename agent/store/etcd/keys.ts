/** Where flannel keeps what in etcd: Documentation/configuration.md, pkg/subnet/etcd/registry.go. */
import { posix } from 'node:path'
import type { Lease } from '../../../overlay/lease.ts'
import { decodeLease } from '../../../overlay/lease-value.ts'
import { parseJsonText } from '../../../overlay/members.ts'
import type { KeyValue } from './messages.ts'

export interface Keys {
  readonly config: string
  /** Each lease is below it; with a slash at its end. */
  readonly subnets: string
  /** The end of the range of all leases: etcd takes the first key that is not below. */
  readonly end: string
}

/** `prefix` is joined as Go's path.Join does, so that `/a//b/` is `/a/b`. */
export const keysOf = (prefix: string): Keys => {
  const subnets = posix.join(prefix, 'subnets')
  return { config: posix.join(prefix, 'config'), subnets: `${subnets}/`, end: `${subnets}0` }
}

/** The key of a lease within the network. */
export const leaseKeyIn = ({ subnets }: Keys, key: string): string => key.slice(subnets.length)

export type Found =
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'invalid'; readonly key: string; readonly why: string }

/** Never throws. */
export const leaseIn = (keys: Keys, { key, value }: KeyValue): Found => {
  const name = leaseKeyIn(keys, key)
  try {
    return { kind: 'lease', lease: decodeLease(name, parseJsonText(value, '$')) }
  } catch (error) {
    return { kind: 'invalid', key: name, why: `${key}: ${(error as Error).message}` }
  }
}
