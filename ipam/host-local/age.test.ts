import { expect, test } from 'vitest'
import { epochToNote, isOutdated, type Present } from './age.ts'
import { epochOf, UNKNOWN } from './slot.ts'

const [here, there] = ['1', '2'].map((digit) => digit.repeat(32)) as [string, string]
const [now, before] = ['a', 'b'].map((digit) => digit.repeat(32)) as [string, string]
const present = (rest: Partial<Present> = {}): Present => ({
  now: epochOf(now, here),
  bootTime: () => 1000,
  isLocal: true,
  ...rest,
})
const remote = { isLocal: false }
const anonymous = { now: epochOf(now, '') }
const amnesiac = { now: epochOf('', here) }

const cases: readonly (readonly [
  what: string,
  epoch: ReturnType<typeof epochOf> | undefined,
  mtime: number,
  Partial<Present>,
  boolean,
])[] = [
  ['of this boot', epochOf(now, here), 0, {}, false],
  ['of an earlier boot', epochOf(before, here), 2000, {}, true],
  ['of an earlier boot, the machine renamed since', epochOf(before, there), 2000, {}, true],
  ['of another machine on a shared file system', epochOf(before, there), 0, remote, false],
  ['of an earlier boot on a shared file system', epochOf(before, here), 2000, remote, true],
  ['of a boot with no machine id on a shared file system', epochOf(before, ''), 0, { ...remote, ...anonymous }, false],
  ["upstream's, written in this boot", undefined, 1000, {}, false],
  ["upstream's, written before this boot", undefined, 999, {}, true],
  ["upstream's, written before this boot, on a shared file system", undefined, 999, remote, false],
  ['without a known boot, written before this one', UNKNOWN, 999, {}, true],
  ['of an earlier boot, when this boot is unknown', epochOf(before, here), 0, amnesiac, false],
  ["upstream's, when this boot is unknown", undefined, 0, amnesiac, false],
]
test.each(cases)('isOutdated() of a reservation %s', (_, epoch, mtime, rest, outdated) => {
  expect(isOutdated({ epoch, mtime: () => mtime }, present(rest))).toBe(outdated)
})

test('epochToNote() keeps what is known, and notes this boot for what is first seen on a local file system', () => {
  const old = epochOf(before, there)
  expect(epochToNote(old, present())).toBe(old)
  expect(epochToNote(undefined, present())).toEqual(epochOf(now, here))
  expect(epochToNote(UNKNOWN, present())).toEqual(epochOf(now, here))
  expect(epochToNote(undefined, present(remote))).toBeUndefined()
})
