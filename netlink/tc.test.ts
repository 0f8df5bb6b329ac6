import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeMessages, type Message } from './message.ts'
import { isBufferOf, tbfBuffer, tbfOf, ticksPerUsecOf } from './tbf.ts'
import { delQdisc, newIngress, newRedirect, newTbf } from './tc.ts'

const TICKS = ticksPerUsecOf('000003e8 00000040 000f4240 3b9aca00\n')

/** Bytes of a recording made with `strace -e trace=sendmsg tc ...`: type and flags, then all after nlmsghdr. */
const golden = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../test/golden/tc/${name}.hex`, 'utf8')
    .replace(/^#.*/gm, '')
    .replace(/\s/g, '')

const hexOf = (message: Message): string => {
  const bytes = Buffer.from(encodeMessages([message], 1))
  return bytes.toString('hex', 4, 8) + bytes.toString('hex', 16)
}

/** sizeof(nlattr) and 256 cells. */
const RATE_TABLE = 4 + 1024
/** Where TCA_OPTIONS begins: behind type and flags, tcmsg and TCA_KIND. */
const OPTIONS = 4 + 20 + 8

/** A recording without TCA_TBF_RTAB, its last attribute, which kernels since 3.8 do not look at. */
const withoutRateTable = (recording: string): string => {
  const bytes = Buffer.from(recording, 'hex')
  bytes.writeUInt16LE(bytes.readUInt16LE(OPTIONS) - RATE_TABLE, OPTIONS)
  return bytes.toString('hex', 0, bytes.length - RATE_TABLE)
}

const ROWS: readonly (readonly [golden: string, message: Message])[] = [
  ['ingress', newIngress(3)],
  ['redirect', newRedirect(3, 4)],
  ['del-root', delQdisc(3, 'root')],
  ['del-ingress', delQdisc(3, 'ingress')],
]

test.for(ROWS)('%s is byte for byte what tc sends', ([name, message]) => {
  expect(hexOf(message)).toBe(golden(name))
})

test.for([
  ['tbf', newTbf(3, tbfOf(8_000_000, 1_000_000, 25), TICKS)],
  ['tbf-rate64', newTbf(2, tbfOf(80_000_000_000, 209_715_200, 25), TICKS)],
] as const)('%s is byte for byte what tc sends, but for the rate table', ([name, message]) => {
  expect(hexOf(message)).toBe(withoutRateTable(golden(name)))
})

test('ticksPerUsecOf() reads the clock of /proc/net/psched', () => {
  expect(TICKS).toBe(15.625)
})

test.for([
  [1_000_000, 8_000_000, { rate: 125_000, burst: 1_000_000, limit: 1_003_125 }],
  [8, 12_000, { rate: 1, burst: 1500, limit: 1500 }],
  [15, 12_007, { rate: 1, burst: 1500, limit: 1500 }],
  [10 ** 13, 8, { rate: 1.25e12, burst: 1, limit: 2 ** 32 - 1 }],
] as const)('tbfOf() of %i bit/s and %i bits', ([rate, burst, tbf]) => {
  expect(tbfOf(rate, burst, 25)).toEqual(tbf)
})

test.for([
  ['what tc sets', 0, true],
  ['what upstream sets, whole microseconds', -15, true],
  ['another burst', 200, false],
  ['a bucket of another magnitude', 2 ** 31, false],
] as const)('isBufferOf() of %s', ([, apart, expected]) => {
  const tbf = tbfOf(10_000_000, 2_147_483_647, 25)
  expect(isBufferOf(tbf, (tbfBuffer(tbf, TICKS) + apart) % 2 ** 32, TICKS)).toBe(expected)
})
