/** Which subnets a node can be given. flannel pkg/subnet/etcd/local_manager.go `allocateSubnet`, `isSubnetConfigCompat`. */
import { addressOf, type Cidr, cidrFamily, cidrOf, lengthOf, overlaps } from '../addr/cidr.ts'
import { type Ip, ipNumber, ipOfNumber, widthOf } from '../addr/ip.ts'
import { FAMILIES, familyConf } from './families.ts'
import type { LeaseSubnets } from './lease-key.ts'
import type { FamilyConf, NetConf } from './net-conf.ts'

/** How many free subnets one is drawn from: nodes that ask at once seldom draw the same. */
const DRAWN_FROM = 100

const fitsFamily = (conf: FamilyConf | undefined, subnet: Cidr | undefined): boolean => {
  if (conf === undefined || subnet === undefined) return conf === undefined && subnet === undefined
  const base = ipNumber(addressOf(subnet))
  return lengthOf(subnet) === conf.subnetLen && base >= ipNumber(conf.subnetMin) && base <= ipNumber(conf.subnetMax)
}

/** Whether a node could be given these subnets: one of each family that is enabled, of its length and in its range. */
export const fitsConf = (conf: NetConf, { subnet, ipv6Subnet }: LeaseSubnets): boolean =>
  fitsFamily(conf.ipv4, subnet) && fitsFamily(conf.ipv6, ipv6Subnet)

/** First and last address of prefixes of one family, as numbers, in order. */
const intervalsOf = (taken: readonly Cidr[]): (readonly [first: bigint, last: bigint])[] =>
  taken
    .map((prefix): readonly [bigint, bigint] => {
      const rest = BigInt(widthOf(cidrFamily(prefix)) - lengthOf(prefix))
      const first = (ipNumber(addressOf(prefix)) >> rest) << rest
      return [first, first + (1n << rest) - 1n]
    })
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

/** The first free subnets, at most `DRAWN_FROM`. Taken ones are skipped in one sweep, whatever their sizes. */
const freeSubnets = (conf: FamilyConf, taken: readonly Cidr[]): Ip[] => {
  const family = cidrFamily(conf.network)
  const size = 1n << BigInt(widthOf(family) - conf.subnetLen)
  const last = ipNumber(conf.subnetMax)
  const intervals = intervalsOf(taken.filter((prefix) => overlaps(prefix, conf.network)))
  const free: Ip[] = []
  let at = 0
  for (let base = ipNumber(conf.subnetMin); base <= last && free.length < DRAWN_FROM; base += size) {
    while ((intervals[at]?.[1] ?? base) < base) at++
    const [first = base + size, end = base] = intervals[at] ?? []
    if (first >= base + size) free.push(ipOfNumber(base, family))
    else base = (end / size) * size
  }
  return free
}

const draw = (conf: FamilyConf, taken: readonly Cidr[], pick: (n: number) => number): Cidr | undefined => {
  const free = freeSubnets(conf, taken)
  const base = free[pick(free.length)]
  return base === undefined ? undefined : cidrOf(base, conf.subnetLen)
}

/** Subnets, one for each enabled family, that overlap none of `taken`: drawn from the first hundred that are free. `pick`
 *  gives a number from 0 below the one it is given. Undefined when a family has none left. */
export const pickSubnets = (
  conf: NetConf,
  taken: readonly Cidr[],
  pick: (n: number) => number,
): LeaseSubnets | undefined => {
  const drawn = FAMILIES.map((family) => {
    const enabled = familyConf(conf, family)
    return enabled === undefined ? undefined : draw(enabled, taken, pick)
  })
  const [subnet, ipv6Subnet] = drawn
  if ((conf.ipv4 !== undefined && subnet === undefined) || (conf.ipv6 !== undefined && ipv6Subnet === undefined))
    return undefined
  return { ...(subnet === undefined ? {} : { subnet }), ...(ipv6Subnet === undefined ? {} : { ipv6Subnet }) }
}
