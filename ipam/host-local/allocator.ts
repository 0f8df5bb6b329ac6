/** Which address comes next: arithmetic alone, no files. Round robin, as upstream's, so that an address is not used again
 *  before all others have been. */
import { type Family, familyOf, type Ip, ipNumber, ipOfNumber } from '../../addr/ip.ts'
import { inRange, type Range, type RangeSet } from './range.ts'

/** The least free number from `from` to `to`, both inclusive; undefined when there is none. */
export type NextFree = (from: bigint, to: bigint, family: Family) => bigint | undefined

interface Span {
  readonly range: Range
  readonly from: bigint
  readonly to: bigint
}

const spanOf = (range: Range): Span => ({ range, from: range.start, to: range.end })

/** All of `set`, each address once, beginning after `last`, which comes last; from the start when `last` is not of it. */
const spansAfter = (set: RangeSet, last: Ip | undefined): readonly Span[] => {
  const at = last === undefined ? -1 : set.findIndex((range) => inRange(range, last))
  const spans = [...set.slice(Math.max(at, 0)), ...set.slice(0, Math.max(at, 0))].map(spanOf)
  const first = spans[0]
  if (last === undefined || at < 0 || first === undefined) return spans
  const n = ipNumber(last)
  return [{ ...first, from: n + 1n }, ...spans.slice(1), { ...first, to: n }]
}

/** The first free number of `span` that is not the gateway's. */
const freeIn = ({ range, from, to }: Span, nextFree: NextFree): bigint | undefined => {
  if (from > to) return undefined
  const n = nextFree(from, to, range.family)
  const isGateway = n !== undefined && familyOf(range.gateway) === range.family && n === ipNumber(range.gateway)
  return isGateway ? freeIn({ range, from: n + 1n, to }, nextFree) : n
}

export interface Choice {
  readonly address: Ip
  readonly range: Range
}

/** The address after `last` (what `last_reserved_ip` holds) that is free; undefined when the set is exhausted. */
export const chooseNext = (set: RangeSet, last: Ip | undefined, nextFree: NextFree): Choice | undefined => {
  for (const span of spansAfter(set, last)) {
    const n = freeIn(span, nextFree)
    if (n !== undefined) return { address: ipOfNumber(n, span.range.family), range: span.range }
  }
  return undefined
}
