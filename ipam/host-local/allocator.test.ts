import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Ip, ipNumber, parseIp } from '../../addr/ip.ts'
import { chooseNext, type NextFree } from './allocator.ts'
import { completeRange, inRange, type Range, type RangeKeys, type RangeSet } from './range.ts'

const set = (...keys: readonly RangeKeys[]): RangeSet => keys.map((range) => completeRange(range, '$'))
const small = set({ subnet: '10.1.0.0/29' })
const pair = set(
  { subnet: '10.1.0.0/29', rangeStart: '10.1.0.2', rangeEnd: '10.1.0.3' },
  { subnet: '10.2.0.0/29', gateway: '10.2.0.2' },
)

/** A search that knows these addresses as reserved. */
const without =
  (reserved: ReadonlySet<bigint>): NextFree =>
  (from, to) => {
    for (let n = from; n <= to; n++) if (!reserved.has(n)) return n
    return undefined
  }
const taken = (...addresses: readonly string[]): NextFree =>
  without(new Set(addresses.map((a) => ipNumber(parseIp(a)))))

const POOLS = { small, pair, wide: set({ subnet: 'fd00::/64' }) }
const cases: readonly (readonly [
  pool: keyof typeof POOLS,
  last: string,
  taken: readonly string[],
  next: string | undefined,
])[] = [
  ['small', '', [], '10.1.0.2'],
  ['small', '', ['10.1.0.2'], '10.1.0.3'],
  ['small', '10.1.0.2', [], '10.1.0.3'],
  ['small', '10.1.0.6', [], '10.1.0.2'],
  ['small', '10.1.0.5', ['10.1.0.6'], '10.1.0.2'],
  ['small', '10.1.0.3', ['10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.6'], '10.1.0.3'],
  ['small', '10.1.0.3', ['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6'], undefined],
  ['small', '10.9.9.9', [], '10.1.0.2'],
  ['small', '10.1.0.7', [], '10.1.0.2'],
  ['small', 'fd00::1', [], '10.1.0.2'],
  ['pair', '', [], '10.1.0.2'],
  ['pair', '10.1.0.3', [], '10.2.0.1'],
  ['pair', '10.2.0.1', [], '10.2.0.3'],
  ['pair', '10.2.0.6', [], '10.1.0.2'],
  ['pair', '10.2.0.5', ['10.2.0.6', '10.1.0.2', '10.1.0.3'], '10.2.0.1'],
  ['wide', 'fd00::ffff:ffff:ffff:ffff', [], 'fd00::2'],
  ['wide', 'fd00::ff', ['fd00::100'], 'fd00::101'],
]
test.each(cases)('chooseNext() in the pool %s after %j without %j is %j', (pool, last, reserved, next) => {
  const chosen = chooseNext(POOLS[pool], last === '' ? undefined : parseIp(last), taken(...reserved))
  expect(chosen?.address).toBe(next)
  if (chosen !== undefined) expect(inRange(chosen.range, chosen.address)).toBe(true)
})

test('chooseNext() never gives the gateway of the range, wherever the search begins', () => {
  for (let last = 0; last < 8; last++)
    expect(chooseNext(small, parseIp(`10.1.0.${last}`), taken())?.address).not.toBe('10.1.0.1')
})

test('chooseNext() hands out the gateway of another range, as upstream does', () => {
  const [first, second] = [small[0], set({ subnet: '10.2.0.0/29', gateway: '10.1.0.2' })[0]] as [Range, Range]
  expect(chooseNext([first, second], undefined, taken())?.address).toBe('10.1.0.2')
})

test('chooseNext(), each answer taken, gives every address of the set once and then none', () => {
  const starts = [...Array(9).keys()].map((i) => `10.1.0.${i}`)
  fc.assert(
    fc.property(fc.constantFrom(small, pair), fc.constantFrom('', '10.2.0.4', ...starts), (ranges, start) => {
      const given = new Set<bigint>()
      let last: Ip | undefined = start === '' ? undefined : parseIp(start)
      for (let next = chooseNext(ranges, last, without(given)); next !== undefined; ) {
        expect(given.has(ipNumber(next.address))).toBe(false)
        given.add(ipNumber(next.address))
        last = next.address
        next = chooseNext(ranges, last, without(given))
      }
      expect(given.size).toBe(ranges === small ? 5 : 7)
    }),
  )
})
