/** Which lease a node takes: flannel's order (pkg/subnet/etcd/local_manager.go `tryAcquireLease`). The lease that names its
 *  public address, if that still fits the network; else the subnet it had before, if nobody has it; else a new one. Values
 *  in, values out: who reads and writes is the driver of a store, which begins again when another node was faster. */
import { type Cidr, cidrFamily, networkOf, overlaps } from '../addr/cidr.ts'
import { quote } from '../addr/error.ts'
import { type Claim, isOwn } from './claim.ts'
import type { Lease } from './lease.ts'
import { type LeaseSubnets, leaseKey, parseLeaseKey } from './lease-key.ts'
import type { NetConf } from './net-conf.ts'
import { StoreError } from './store-error.ts'
import { fitsConf, pickSubnets } from './subnets.ts'

/** Term of a lease that is not a reservation, in ms: flannel's `subnetTTL`. */
export const LEASE_TERM = 24 * 60 * 60 * 1000
/** How often a node begins again when others were faster: flannel's `raceRetries`. */
export const RACE_RETRIES = 10

/** A lease that a store holds. */
export interface Held {
  readonly lease: Lease
  /** A reservation: it never ends, and stays so when its node takes it. */
  readonly reserved: boolean
}

/** What a store holds; `H` is what it knows of each lease besides. */
export interface Holdings<H extends Held = Held> {
  readonly leases: readonly H[]
  /** Keys whose value is no lease: their subnets are not given away. */
  readonly invalid: readonly string[]
}

export interface Update<H extends Held = Held> {
  readonly kind: 'update'
  readonly held: H
  /** What it becomes. */
  readonly lease: Lease
}

export interface Creation<H extends Held = Held> {
  readonly kind: 'create'
  /** This node's leases that do not fit the network: they go first. */
  readonly stale: readonly H[]
  readonly lease: Lease
}

/** What to write: in place of what is held, or where nothing is. */
export type Choice<H extends Held = Held> = Update<H> | Creation<H>

/** The lease of `subnets` as `claim` says it. */
export const leaseOf = (claim: Claim, subnets: LeaseSubnets, key = leaseKey(subnets)): Lease => ({
  key,
  ...(subnets.subnet === undefined ? {} : { subnet: subnets.subnet }),
  ...(subnets.ipv6Subnet === undefined ? {} : { ipv6Subnet: subnets.ipv6Subnet }),
  ...(claim.publicIP === undefined ? {} : { publicIP: claim.publicIP }),
  ...(claim.publicIPv6 === undefined ? {} : { publicIPv6: claim.publicIPv6 }),
  backendType: claim.backendType,
  data: claim.data,
  v6Data: claim.v6Data,
})

const cidrsOf = ({ subnet, ipv6Subnet }: LeaseSubnets): readonly Cidr[] =>
  [subnet, ipv6Subnet].filter((cidr): cidr is Cidr => cidr !== undefined)

const cidrsOfKey = (key: string): readonly Cidr[] => {
  try {
    return cidrsOf(parseLeaseKey(key))
  } catch {
    return []
  }
}

/** The subnets of the lease before, as `subnet.env` had them: the first usable address or the subnet itself. */
const previousSubnets = (previous: readonly Cidr[]): LeaseSubnets => {
  const subnet = previous.find((cidr) => cidrFamily(cidr) === 4)
  const ipv6Subnet = previous.find((cidr) => cidrFamily(cidr) === 6)
  return {
    ...(subnet === undefined ? {} : { subnet: networkOf(subnet) }),
    ...(ipv6Subnet === undefined ? {} : { ipv6Subnet: networkOf(ipv6Subnet) }),
  }
}

/** Of two leases that name this node, one of which another may have written, the one that its pods are in. */
const isPrevious = (lease: Lease, { previous }: Claim): boolean => {
  const before = cidrsOf(previousSubnets(previous))
  return before.length > 0 && before.every((cidr) => cidrsOf(lease).includes(cidr))
}

const newSubnets = (claim: Claim, conf: NetConf, taken: readonly Cidr[], pick: (n: number) => number): LeaseSubnets => {
  const previous = previousSubnets(claim.previous)
  const isFree = cidrsOf(previous).every((cidr) => !taken.some((other) => overlaps(cidr, other)))
  if (isFree && fitsConf(conf, previous)) return previous
  const picked = pickSubnets(conf, taken, pick)
  if (picked !== undefined) return picked
  const networks = cidrsOf({
    ...(conf.ipv4 && { subnet: conf.ipv4.network }),
    ...(conf.ipv6 && { ipv6Subnet: conf.ipv6.network }),
  })
  throw new StoreError(
    `no subnet is free in ${networks.map(quote).join(' or ')}: ${taken.length} are taken; remove leases of nodes that are no more, or widen the network`,
  )
}

/** What to do next to hold a lease. `pick` gives a number from 0 below the one it is given. @throws StoreError when no
 *  subnet is free */
export const choose = <H extends Held>(
  claim: Claim,
  conf: NetConf,
  { leases, invalid }: Holdings<H>,
  pick: (n: number) => number = (n) => Math.floor(Math.random() * n),
): Choice<H> => {
  const own = leases.filter(({ lease }) => isOwn(lease, claim))
  const fitting = own.filter(({ lease }) => fitsConf(conf, lease))
  const held = fitting.find(({ lease }) => isPrevious(lease, claim)) ?? fitting[0]
  if (held !== undefined) return { kind: 'update', held, lease: leaseOf(claim, held.lease, held.lease.key) }
  const others = leases.filter((each) => !own.includes(each)).flatMap(({ lease }) => cidrsOf(lease))
  const taken = [...others, ...invalid.flatMap(cidrsOfKey)]
  return { kind: 'create', stale: own, lease: leaseOf(claim, newSubnets(claim, conf, taken, pick)) }
}

/** @throws StoreError: nothing else is said by `times` lost races */
export const lostRaces = (times: number): StoreError =>
  new StoreError(`another node was faster ${times} times running to take a subnet: it will be tried again`)
