/** The keys of one address family in the network configuration: the network, and which of its subnets are handed out.
 *  flannel pkg/subnet/config.go `CheckNetworkConfig`. */
import {
  addressOf,
  type Cidr,
  cidrFamily,
  contains,
  firstOf,
  lastOf,
  lengthOf,
  networkOf,
  readCidr,
} from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { type Family, familyOf, type Ip, ipNumber, ipOfNumber, readIp, widthOf } from '../addr/ip.ts'
import type { Members } from './members.ts'
import type { FamilyConf } from './net-conf.ts'

interface Words {
  readonly network: string
  readonly len: string
  readonly min: string
  readonly max: string
  readonly example: string
  /** What a node gets of a network that has room for four of them. */
  readonly usualLen: number
}

const WORDS: Readonly<Record<Family, Words>> = {
  4: {
    network: 'Network',
    len: 'SubnetLen',
    min: 'SubnetMin',
    max: 'SubnetMax',
    example: '10.244.0.0/16',
    usualLen: 24,
  },
  6: {
    network: 'IPv6Network',
    len: 'IPv6SubnetLen',
    min: 'IPv6SubnetMin',
    max: 'IPv6SubnetMax',
    example: 'fd00:244::/56',
    usualLen: 64,
  },
}

export const FAMILY_KEYS: readonly string[] = Object.values(WORDS).flatMap(({ network, len, min, max }) => [
  network,
  len,
  min,
  max,
])

/** Bits by which a subnet is at least longer than the network: the first subnet is not used, so two would leave one. */
const SPARE_BITS = 2
/** Addresses in the smallest subnet, as bits: the tunnel's, the bridge's, a pod's, and the broadcast address. */
const SMALLEST_BITS = 2

/** Host bits are cleared, as flannel does: what it takes today must not be refused when a node changes over. */
const readNetwork = (members: Members, family: Family): Cidr | undefined => {
  const { network, example } = WORDS[family]
  const text = members.text(network)
  if (text === undefined) return undefined
  const parsed = readCidr(text)
  const path = `${members.path}.${network}`
  if (parsed === undefined || cidrFamily(parsed) !== family || lengthOf(parsed) === 0)
    throw new DecodeError(path, `${quote(text)} is not an IPv${family} network, such as ${quote(example)}`)
  return networkOf(parsed)
}

const subnetLenOf = (members: Members, family: Family, network: Cidr): number => {
  const { network: networkKey, len, usualLen } = WORDS[family]
  const longest = widthOf(family) - SMALLEST_BITS
  const shortest = lengthOf(network) + SPARE_BITS
  if (shortest > longest)
    throw new DecodeError(
      `${members.path}.${networkKey}`,
      `${quote(network)} is too small: four subnets of four addresses need at least a /${longest - SPARE_BITS}`,
    )
  const stated = members.whole(len, 0, widthOf(family))
  if (!stated) return Math.max(usualLen, shortest)
  if (stated >= shortest && stated <= longest) return stated
  const why =
    stated < shortest ? `${network} has no room for four subnets of that size` : 'a subnet needs four addresses'
  throw new DecodeError(
    `${members.path}.${len}`,
    `${stated} is not a prefix length from ${shortest} to ${longest}: ${why}`,
  )
}

/** The subnet's address that `key` states; undefined when it states none, or the zero address, which is none in Go. */
const readBound = (members: Members, key: string, network: Cidr, subnetLen: number): Ip | undefined => {
  const text = members.text(key)
  if (text === undefined) return undefined
  const path = `${members.path}.${key}`
  const address = readIp(text)
  if (address === undefined || familyOf(address) !== cidrFamily(network))
    throw new DecodeError(path, `${quote(text)} is not an IPv${cidrFamily(network)} address`)
  if (ipNumber(address) === 0n) return undefined
  if (!contains(network, address)) throw new DecodeError(path, `${quote(text)} is not inside the network ${network}`)
  const subnet = firstOf(`${address}/${subnetLen}` as Cidr)
  if (subnet === address) return address
  throw new DecodeError(
    path,
    `${quote(text)} is not where a /${subnetLen} begins: the one around it begins at ${subnet}`,
  )
}

const boundsOf = (members: Members, network: Cidr, subnetLen: number): { subnetMin: Ip; subnetMax: Ip } => {
  const family = cidrFamily(network)
  const { min, max } = WORDS[family]
  const size = 1n << BigInt(widthOf(family) - subnetLen)
  const subnetMin =
    readBound(members, min, network, subnetLen) ?? ipOfNumber(ipNumber(addressOf(network)) + size, family)
  const subnetMax =
    readBound(members, max, network, subnetLen) ?? ipOfNumber(ipNumber(lastOf(network)) + 1n - size, family)
  if (ipNumber(subnetMin) > ipNumber(subnetMax))
    throw new DecodeError(
      `${members.path}.${min}`,
      `${quote(subnetMin)} comes after ${max}, which is ${quote(subnetMax)}`,
    )
  return { subnetMin, subnetMax }
}

/** What `family` is given; undefined when it is not `enabled`, though its network is looked at all the same.
 *  @throws DecodeError */
export const parseFamily = (members: Members, family: Family, enabled: boolean): FamilyConf | undefined => {
  const network = readNetwork(members, family)
  if (!enabled) return undefined
  const { network: key, example } = WORDS[family]
  if (network === undefined)
    throw new DecodeError(
      `${members.path}.${key}`,
      `missing: IPv${family} is enabled and needs one, such as ${quote(example)}`,
    )
  const subnetLen = subnetLenOf(members, family, network)
  return { network, subnetLen, ...boundsOf(members, network, subnetLen) }
}
