/** Ranges of addresses and sets of them, completed and checked. Semantics: upstream `plugins/ipam/host-local`. */
import { addressOf, type Cidr, cidrFamily, contains, firstOf, lastOf, lengthOf, parseCidr } from '../../addr/cidr.ts'
import { DecodeError, quote } from '../../addr/error.ts'
import { type Family, familyOf, type Ip, ipNumber, ipOfNumber, parseIp, widthOf } from '../../addr/ip.ts'

export interface Range {
  readonly subnet: Cidr
  /** First and last address to hand out, both inclusive. */
  readonly start: Ip
  readonly end: Ip
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

export const rangeFamily = (range: Range): Family => cidrFamily(range.subnet)
export const setFamily = (set: RangeSet): Family => (set[0] === undefined ? 4 : rangeFamily(set[0]))

export const inRange = ({ subnet, start, end }: Range, address: Ip): boolean =>
  contains(subnet, address) && ipNumber(start) <= ipNumber(address) && ipNumber(address) <= ipNumber(end)

/** The range of `set` that `address` belongs to. */
export const rangeFor = (set: RangeSet, address: Ip): Range | undefined => set.find((range) => inRange(range, address))

/** How many addresses can be handed out. */
export const sizeOf = (range: Range): bigint =>
  ipNumber(range.end) - ipNumber(range.start) + 1n - (inRange(range, range.gateway) ? 1n : 0n)

export const renderRange = ({ start, end }: Range): string => `${start}-${end}`
export const renderSet = (set: RangeSet): string => set.map(renderRange).join(', ')

/** Bits a subnet must leave for hosts: smaller ones hold the network, the gateway and nothing to hand out. */
const HOST_BITS = 2

const parseSubnet = (text: string, path: string): Cidr => {
  const subnet = parseCidr(text, path)
  const most = widthOf(cidrFamily(subnet)) - HOST_BITS
  if (lengthOf(subnet) > most)
    throw new DecodeError(path, `${quote(text)} is too small to allocate from: /${most} or shorter is needed`)
  if (addressOf(subnet) !== firstOf(subnet))
    throw new DecodeError(
      path,
      `${quote(text)} has host bits set: the subnet is ${firstOf(subnet)}/${lengthOf(subnet)}`,
    )
  return subnet
}

const parseOwn = (text: string, path: string, subnet: Cidr): Ip => {
  const address = parseIp(text, path)
  if (familyOf(address) === cidrFamily(subnet)) return address
  throw new DecodeError(path, `${quote(text)} is not of the family of the subnet ${subnet}`)
}

const parseInside = (text: string, path: string, subnet: Cidr): Ip => {
  const address = parseIp(text, path)
  if (contains(subnet, address)) return address
  throw new DecodeError(path, `${quote(text)} is not in the subnet ${subnet}`)
}

const step = (address: Ip, by: bigint): Ip => ipOfNumber(ipNumber(address) + by, familyOf(address))

/** The last address of a subnet that is not a broadcast address. */
const lastUsable = (subnet: Cidr): Ip => step(lastOf(subnet), cidrFamily(subnet) === 4 ? -1n : 0n)

/** A range with what is left out filled in: the gateway and the start are the subnet's first address, the end its last
 *  usable one. @throws DecodeError below `path` */
export const completeRange = (keys: RangeKeys, path: string): Range => {
  const subnet = parseSubnet(keys.subnet ?? '', `${path}.subnet`)
  const first = step(firstOf(subnet), 1n)
  const gateway = keys.gateway ? parseOwn(keys.gateway, `${path}.gateway`, subnet) : first
  const start = keys.rangeStart ? parseInside(keys.rangeStart, `${path}.rangeStart`, subnet) : first
  const end = keys.rangeEnd ? parseInside(keys.rangeEnd, `${path}.rangeEnd`, subnet) : lastUsable(subnet)
  if (ipNumber(start) > ipNumber(end)) throw new DecodeError(path, `the range begins at ${start}, after its end ${end}`)
  return { subnet, start, end, gateway }
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
  if (new Set(set.map(rangeFamily)).size > 1)
    throw new DecodeError(path, `mixes address families: ${renderSet(set)}; each family needs a range set of its own`)
  return set
}

const overlap = (a: Range, b: Range): boolean =>
  rangeFamily(a) === rangeFamily(b) && ipNumber(a.start) <= ipNumber(b.end) && ipNumber(b.start) <= ipNumber(a.end)

const refuseOverlaps = (ranges: readonly Range[], paths: readonly string[]): void => {
  for (const [i, range] of ranges.entries()) {
    const j = ranges.findIndex((other, at) => at < i && overlap(range, other))
    const other = ranges[j]
    if (other !== undefined)
      throw new DecodeError(paths[i] ?? '', `${renderRange(range)} overlaps ${renderRange(other)} of ${paths[j]}`)
  }
}

/** @throws DecodeError for an empty set, mixed families in one set, and overlaps within a set or between sets */
export const completeSets = (configured: readonly ConfiguredSet[]): readonly RangeSet[] => {
  const sets = configured.map(completeSet)
  const paths = configured.flatMap(({ ranges }) => ranges.map(({ path }) => path))
  refuseOverlaps(sets.flat(), paths)
  return sets
}
