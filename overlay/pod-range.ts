/** The addresses that nodes hand out to pods: less than the whole network where `SubnetMin` and `SubnetMax` say so. */
import { cidrFamily, cidrOf } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import { familyOf, ipNumber, widthOf } from '../addr/ip.ts'
import { enabledFamilies, familyConf } from './families.ts'
import type { FamilyConf, NetConf } from './net-conf.ts'
import type { Underlay } from './planner.ts'
import { meets, type Range, rangeOf } from './range.ts'

/** From the first subnet to the last. The first of the network, which flannel does not hand out unless it is told to, is
 *  counted: a podCIDR of Kubernetes may be that. */
const podRangeOf = ({ network, subnetMin, subnetMax, subnetLen }: FamilyConf): Range => {
  const { family, first } = rangeOf(network)
  const size = 1n << BigInt(widthOf(familyOf(subnetMin)) - subnetLen)
  const { last } = rangeOf(cidrOf(subnetMax, subnetLen))
  return { family, first: ipNumber(subnetMin) - first <= size ? first : ipNumber(subnetMin), last }
}

/** Of each enabled family. */
export const podRanges = (conf: NetConf): Range[] =>
  enabledFamilies(conf).flatMap((family) => {
    const enabled = familyConf(conf, family)
    return enabled === undefined ? [] : [podRangeOf(enabled)]
  })

/** @throws DecodeError when a network of the pods overlaps the network of the underlay: a node that is reached by an address
 *  of theirs could not be told from a pod */
export const requireDistinct = (conf: NetConf, underlay: Pick<Underlay, 'name' | 'addresses'>): void => {
  const ranges = podRanges(conf)
  const clash = underlay.addresses.find((address) => ranges.some((range) => meets(range, rangeOf(address))))
  if (clash === undefined) return
  const family = cidrFamily(clash)
  throw new DecodeError(
    family === 4 ? '$.Network' : '$.IPv6Network',
    `"${familyConf(conf, family)?.network}" overlaps ${clash} of the interface ${underlay.name}, by which the nodes reach each other: give pods a network of their own, or keep SubnetMin and SubnetMax clear of it`,
  )
}
