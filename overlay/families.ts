/** What the planners ask of a node and its peers, for one address family at a time. */
import { type Cidr, contains } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { BackendData, Lease } from './lease.ts'
import type { FamilyConf, NetConf } from './net-conf.ts'
import type { Site, Underlay } from './planner.ts'

export const FAMILIES = [4, 6] as const

export const familyConf = (conf: NetConf, family: Family): FamilyConf | undefined =>
  family === 4 ? conf.ipv4 : conf.ipv6
export const enabledFamilies = (conf: NetConf): Family[] =>
  FAMILIES.filter((family) => familyConf(conf, family) !== undefined)
export const networksOf = (conf: NetConf): Cidr[] =>
  FAMILIES.flatMap((family) => familyConf(conf, family)?.network ?? [])

export const subnetOf = (lease: Lease, family: Family): Cidr | undefined =>
  family === 4 ? lease.subnet : lease.ipv6Subnet
export const publicIPOf = (of: Pick<Lease, 'publicIP' | 'publicIPv6'>, family: Family): Ip | undefined =>
  family === 4 ? of.publicIP : of.publicIPv6
export const dataOf = (lease: Pick<Lease, 'data' | 'v6Data'>, family: Family): BackendData =>
  family === 4 ? lease.data : lease.v6Data
export const endpointOf = (underlay: Underlay, family: Family): Ip | undefined =>
  family === 4 ? underlay.ipv4 : underlay.ipv6

/** Bytes that fit into one packet of the underlay; a stated `MTU` can only lower it. */
export const underlayMtu = ({ conf, underlay }: Pick<Site, 'conf' | 'underlay'>): number => {
  const stated = 'mtu' in conf.backend ? conf.backend.mtu : undefined
  return Math.min(stated ?? underlay.mtu, underlay.mtu)
}

/** Whether `address` is reached over the underlay without a gateway. */
export const isOnLink = ({ addresses }: Underlay, address: Ip): boolean =>
  addresses.some((prefix) => contains(prefix, address))
