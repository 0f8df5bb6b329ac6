/** What a lease claims for its node alone, so that no second one may: subnets, and what the kernel tells peers apart by. */
import type { Cidr } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import { dataOf, enabledFamilies, publicIPOf, subnetOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { NetConf } from './net-conf.ts'
import { makeSubnetIndex } from './subnet-index.ts'

interface Claims {
  readonly subnets: readonly (readonly [family: Family, subnet: Cidr])[]
  /** Each with the words for it; unlike of kind or family, never equal. */
  readonly names: readonly string[]
}

const namesOf = (lease: Lease, family: Family): string[] => {
  const { vtepMac, publicKey } = dataOf(lease, family)
  const address = publicIPOf(lease, family)
  return [
    ...(address === undefined ? [] : [`public address ${address}`]),
    ...(vtepMac === undefined ? [] : [`IPv${family} VtepMAC ${vtepMac}`]),
    ...(publicKey === undefined ? [] : [`PublicKey ${publicKey}`]),
  ]
}

const claimsOf = (conf: NetConf, lease: Lease): Claims => {
  const families = enabledFamilies(conf).filter((family) => subnetOf(lease, family) !== undefined)
  return {
    subnets: families.flatMap((family) => {
      const subnet = subnetOf(lease, family)
      return subnet === undefined ? [] : [[family, subnet] as const]
    }),
    names: [...new Set(families.flatMap((family) => namesOf(lease, family)))],
  }
}

export interface Conflict {
  /** The key of the lease that holds it. */
  readonly holder: string
  /** What it is, in words. */
  readonly what: string
}

/** Claims of the leases that are admitted; each call costs the same however many there are. */
export interface ClaimBook {
  readonly conflictOf: (lease: Lease) => Conflict | undefined
  readonly enter: (lease: Lease) => void
  readonly strike: (lease: Lease) => void
}

export const makeClaimBook = (conf: NetConf): ClaimBook => {
  const subnets = { 4: makeSubnetIndex(), 6: makeSubnetIndex() }
  const names = new Map<string, string>()
  return {
    conflictOf: (lease) => {
      const claims = claimsOf(conf, lease)
      for (const [family, subnet] of claims.subnets) {
        const holder = subnets[family].holderOf(subnet)
        if (holder !== undefined) return { holder, what: `subnet ${subnet} overlaps that` }
      }
      for (const name of claims.names) {
        const holder = names.get(name)
        if (holder !== undefined) return { holder, what: `${name} is that` }
      }
      return undefined
    },
    enter: (lease) => {
      const claims = claimsOf(conf, lease)
      for (const [family, subnet] of claims.subnets) subnets[family].add(subnet, lease.key)
      for (const name of claims.names) names.set(name, lease.key)
    },
    strike: (lease) => {
      const claims = claimsOf(conf, lease)
      for (const [family, subnet] of claims.subnets) subnets[family].remove(subnet)
      for (const name of claims.names) names.delete(name)
    },
  }
}
