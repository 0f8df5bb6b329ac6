/** Ranges of addresses and sets of them, completed and checked. Semantics: upstream `plugins/ipam/host-local`. */
import { addressOf, type Cidr, cidrFamily, contains, lengthOf, networkOf, parseCidr } from '../../addr/cidr.ts'
import { DecodeError, quote } from '../../addr/error.ts'
import { type Family, familyOf, type Ip, ipNumber, ipOfNumber, parseIp, widthOf } from '../../addr/ip.ts'

export interface Range {
  readonly subnet: Cidr
  readonly family: Family
  /** First and last address to hand out, both inclusive, as numbers. */
  readonly start: bigint
  readonly end: bigint
  /** Never handed out from this range; may lie outside it. */
  readonly gateway: Ip
}

/** One pool: one address of it is given to each attachment. Never empty, one family, no two ranges overlapping. */
export type RangeSet = readonly Range[]

/** The keys of a range as the schema lets them through; '' is absent, as in Go. */
export interface RangeKeys {
  readonly subnet?: string
  readonly rangeStart?: string
  readonly rangeEnd?: string
  readonly gateway?: string
}

const isWithin = (range: Range, n: bigint): boolean => range.start <= n && n <= range.end

export const inRange = (range: Range, address: Ip): boolean =>
  familyOf(address) === range.family && isWithin(range, ipNumber(address))

/** The range of `set` that `address` belongs to. */
export const rangeFor = (set: RangeSet, address: Ip): Range | undefined => set.find((range) => inRange(range, address))

/** How many addresses can be handed out. */
export const sizeOf = (range: Range): bigint => range.end - range.start + 1n - (inRange(range, range.gateway) ? 1n : 0n)

export const renderRange = ({ start, end, family }: Range): string =>
  `${ipOfNumber(start, family)}-${ipOfNumber(end, family)}`
export const renderSet = (set: RangeSet): string => set.map(renderRange).join(', ')

/** Bits a subnet must leave for hosts: smaller ones hold the network, the gateway and nothing to hand out. */
const HOST_BITS = 2

/** A subnet and its first and last address as numbers. */
interface Subnet {
  readonly cidr: Cidr
  readonly family: Family
  readonly first: bigint
  readonly last: bigint
}

const parseSubnet = (text: string, path: string): Subnet => {
  const cidr = parseCidr(text, path)
  const family = cidrFamily(cidr)
  const most = widthOf(family) - HOST_BITS
  if (lengthOf(cidr) > most)
    throw new DecodeError(path, `${quote(text)} is too small to allocate from: /${most} or shorter is needed`)
  if (cidr !== networkOf(cidr))
    throw new DecodeError(path, `${quote(text)} has host bits set: the subnet is ${networkOf(cidr)}`)
  const first = ipNumber(addressOf(cidr))
  const size = 1n << BigInt(widthOf(family) - lengthOf(cidr))
  return { cidr, family, first, last: first + size - 1n }
}

/** The number of an address of the subnet; `otherwise` when none is stated. */
const parseInside = (text: string | undefined, path: string, subnet: Subnet, otherwise: bigint): bigint => {
  if (!text) return otherwise
  const address = parseIp(text, path)
  if (contains(subnet.cidr, address)) return ipNumber(address)
  throw new DecodeError(path, `${quote(text)} is not in the subnet ${subnet.cidr}`)
}

const parseGateway = (text: string | undefined, path: string, { cidr, family, first }: Subnet): Ip => {
  if (!text) return ipOfNumber(first + 1n, family)
  const address = parseIp(text, path)
  if (familyOf(address) === family) return address
  throw new DecodeError(path, `${quote(text)} is not of the family of the subnet ${cidr}`)
}

/** A range with what is left out filled in: the gateway and the start are the subnet's first address after its own, the end
 *  its last one, or the one before an IPv4 broadcast address. @throws DecodeError below `path` */
export const completeRange = (keys: RangeKeys, path: string): Range => {
  const subnet = parseSubnet(keys.subnet ?? '', `${path}.subnet`)
  const { cidr, family, first, last } = subnet
  const gateway = parseGateway(keys.gateway, `${path}.gateway`, subnet)
  const start = parseInside(keys.rangeStart, `${path}.rangeStart`, subnet, first + 1n)
  const end = parseInside(keys.rangeEnd, `${path}.rangeEnd`, subnet, family === 4 ? last - 1n : last)
  const range = { subnet: cidr, family, start, end, gateway }
  if (start > end) throw new DecodeError(path, `the range ${renderRange(range)} ends before it begins`)
  return range
}

/** A range set as configured, and where. */
export interface ConfiguredSet {
  readonly path: string
  readonly ranges: readonly { readonly keys: RangeKeys; readonly path: string }[]
}

const completeSet = ({ ranges, path }: ConfiguredSet): RangeSet => {
  const set = ranges.map((range) => completeRange(range.keys, range.path))
  if (set.length === 0)
    throw new DecodeError(path, 'the range set is empty: at least one range with a "subnet" is needed')
  for (const range of set)
    if (range.family !== set[0]?.family)
      throw new DecodeError(path, `mixes address families: ${renderSet(set)}; each family needs a range set of its own`)
  return set
}

const overlap = (a: Range, b: Range): boolean => a.family === b.family && a.start <= b.end && b.start <= a.end

interface Placed {
  readonly range: Range
  readonly path: string
}

const refuseOverlap = ({ range, path }: Placed, earlier: readonly Placed[]): void => {
  for (const other of earlier)
    if (overlap(range, other.range))
      throw new DecodeError(path, `${renderRange(range)} overlaps ${renderRange(other.range)} of ${other.path}`)
}

/** @throws DecodeError for an empty set, mixed families in one set, and overlaps within a set or between sets */
export const completeSets = (configured: readonly ConfiguredSet[]): readonly RangeSet[] => {
  const placed: Placed[] = []
  return configured.map((each) => {
    const set = completeSet(each)
    for (const range of set) {
      const own = { range, path: each.ranges[set.indexOf(range)]?.path ?? each.path }
      refuseOverlap(own, placed)
      placed.push(own)
    }
    return set
  })
}
