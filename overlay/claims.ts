/** What a lease claims for its node alone, so that no second one may: subnets, and what the kernel tells peers apart by. */
import type { Cidr } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import { dataOf, enabledFamilies, publicIPOf, subnetOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { NetConf } from './net-conf.ts'
import { type Bits, bitsOf, makeSubnetIndex } from './subnet-index.ts'

export interface Claims {
  readonly subnets: readonly { readonly family: Family; readonly subnet: Cidr; readonly bits: Bits }[]
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

export const claimsOf = (conf: NetConf, lease: Lease): Claims => {
  const families = enabledFamilies(conf).filter((family) => subnetOf(lease, family) !== undefined)
  return {
    subnets: families.flatMap((family) => {
      const subnet = subnetOf(lease, family)
      return subnet === undefined ? [] : [{ family, subnet, bits: bitsOf(subnet) }]
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
  readonly conflictOf: (claims: Claims) => Conflict | undefined
  readonly enter: (claims: Claims, key: string) => void
  readonly strike: (claims: Claims) => void
}

export const makeClaimBook = (): ClaimBook => {
  const indexes = { 4: makeSubnetIndex(), 6: makeSubnetIndex() }
  const holders = new Map<string, string>()
  return {
    conflictOf: ({ subnets, names }) => {
      for (const { family, subnet, bits } of subnets) {
        const holder = indexes[family].holderOf(bits)
        if (holder !== undefined) return { holder, what: `subnet ${subnet} overlaps that` }
      }
      for (const name of names) {
        const holder = holders.get(name)
        if (holder !== undefined) return { holder, what: `${name} is that` }
      }
      return undefined
    },
    enter: ({ subnets, names }, key) => {
      for (const { family, bits } of subnets) indexes[family].add(bits, key)
      for (const name of names) holders.set(name, key)
    },
    strike: ({ subnets, names }) => {
      for (const { family, bits } of subnets) indexes[family].remove(bits)
      for (const name of names) holders.delete(name)
    },
  }
}
