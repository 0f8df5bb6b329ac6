/** This node's lease among what is known: what it asks with, and whether the store still has it so. */
import type { Lease } from '../overlay/lease.ts'
import { encodeLease } from '../overlay/lease-value.ts'
import type { Knowledge } from './knowledge.ts'
import type { Wanted } from './lease-task.ts'
import type { Leases } from './leases.ts'
import type { Memory } from './memory.ts'
import type { Options } from './options.ts'
import { claimOf } from './site.ts'
import type { LeaseEvent } from './store/store.ts'
import { previousSubnets } from './subnet-file.ts'

const subnetsOf = ({ lease }: Memory['own']) => [lease.subnet, lease.ipv6Subnet].filter((each) => each !== undefined)

/** What this node asks the store with; undefined before it knows who it is,
 *  and while what it knows of the network is remembered. The subnets it had are those of its lease, else
 *  of subnet.env, which flanneld may have written, else those it remembers over a reboot. */
export const wantedOf = (know: Knowledge, { subnetFile }: Options, memory: Memory | undefined): Wanted | undefined => {
  if (!know.hasRead || know.netConf === undefined || know.site?.conf !== know.netConf.conf) return undefined
  const had = know.own === undefined ? previousSubnets(subnetFile) : subnetsOf(know.own.own)
  const previous = had.length > 0 || memory === undefined ? had : subnetsOf(memory.own)
  return { claim: claimOf(know.site, previous), conf: know.netConf.conf }
}

/** Whether two leases say the same, whoever wrote them. */
export const isSameLease = (a: Lease, b: Lease): boolean =>
  a.key === b.key && a.subnet === b.subnet && a.ipv6Subnet === b.ipv6Subnet && encodeLease(a) === encodeLease(b)

/** Whether the store has the own lease otherwise than this node wrote it, or not at all. */
export const isOwnTouched = (event: LeaseEvent, know: Knowledge, leases: Leases): boolean => {
  const own = know.own?.own.lease
  if (own === undefined) return false
  if (event.kind === 'set') return event.lease.key === own.key && !isSameLease(event.lease, own)
  if (event.kind !== 'all') return event.key === own.key
  const stored = leases.lease(own.key)
  return stored === undefined || !isSameLease(stored, own)
}
