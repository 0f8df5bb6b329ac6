/** The addresses that nodes hand out to pods: less than the whole network where `SubnetMin` and `SubnetMax` say so. */
import { addressOf, type Cidr, cidrFamily, cidrOf, firstOf, lastOf } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import { familyOf, type Ip, ipNumber, widthOf } from '../addr/ip.ts'
import type { FamilyConf, NetConf } from './net-conf.ts'
import type { Underlay } from './planner.ts'

const confOf = (conf: NetConf, address: Ip | Cidr): FamilyConf | undefined =>
  familyOf(address) === 4 ? conf.ipv4 : conf.ipv6

/** Where subnets begin. The first of the network, which flannel does not hand out unless it is told to, is counted: a
 *  podCIDR of Kubernetes may be that. */
const beginOf = ({ network, subnetMin, subnetLen }: FamilyConf): bigint => {
  const size = 1n << BigInt(widthOf(familyOf(subnetMin)) - subnetLen)
  const first = ipNumber(addressOf(network))
  return ipNumber(subnetMin) - first <= size ? first : ipNumber(subnetMin)
}

/** Whether a prefix and the subnets of pods have an address in common. */
export const meetsPods = (conf: NetConf, prefix: Cidr): boolean => {
  const family = confOf(conf, prefix)
  if (family === undefined) return false
  const last = lastOf(cidrOf(family.subnetMax, family.subnetLen))
  return ipNumber(firstOf(prefix)) <= ipNumber(last) && ipNumber(lastOf(prefix)) >= beginOf(family)
}

/** @throws DecodeError when a network of the pods overlaps the network of the underlay: a node that is reached by an address
 *  of theirs could not be told from a pod */
export const requireDistinct = (conf: NetConf, underlay: Pick<Underlay, 'name' | 'addresses'>): void => {
  const clash = underlay.addresses.find((address) => meetsPods(conf, address))
  if (clash === undefined) return
  const family = cidrFamily(clash)
  const { network } = confOf(conf, clash) ?? { network: clash }
  throw new DecodeError(
    family === 4 ? '$.Network' : '$.IPv6Network',
    `"${network}" overlaps ${clash} of the interface ${underlay.name}, by which the nodes reach each other: give pods a network of their own, or keep SubnetMin and SubnetMax clear of it`,
  )
}
