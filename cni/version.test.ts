import { expect, test } from 'vitest'
import type { Verb } from './plugin.ts'
import { isAtLeast, isVersion, parseVersion, requireVerb, VERSIONS, type Version, versionsSince } from './version.ts'

test('VERSIONS are in order', () => {
  for (const [i, version] of VERSIONS.entries())
    expect(VERSIONS.map((other) => isAtLeast(version, other))).toEqual(VERSIONS.map((_, j) => i >= j))
})

test.each(['1.1', '1.1.0 ', 'v1.1.0', '1.2.0', '', 1, null, undefined, 'toString'])(
  'isVersion() is false for %j',
  (value) => expect(isVersion(value)).toBe(false),
)

test.each([
  ['0.1.0', VERSIONS],
  ['0.4.0', ['0.4.0', '1.0.0', '1.1.0']],
])('versionsSince() %s', (since, versions) => expect(versionsSince(since)).toEqual(versions))

test.each([undefined, null, ''])('parseVersion() of %j is 0.1.0', (value) =>
  expect(parseVersion(value, VERSIONS)).toBe('0.1.0'),
)

test.each(['2.0.0', '0.3.2', 'x', 11, {}])('parseVersion() refuses %j and says what is supported', (value) =>
  expect(() => parseVersion(value, VERSIONS)).toThrow(
    expect.objectContaining({
      code: 1,
      message: expect.stringContaining(`${JSON.stringify(value)} is none of 0.1.0,`),
    }),
  ),
)

test('parseVersion() refuses a version the plugin does not support', () =>
  expect(() => parseVersion('0.3.1', versionsSince('0.4.0'))).toThrow('"0.3.1" is none of 0.4.0, 1.0.0, 1.1.0'))

const SINCE: readonly [Verb, Version][] = [
  ['ADD', '0.1.0'],
  ['DEL', '0.1.0'],
  ['CHECK', '0.4.0'],
  ['GC', '1.1.0'],
  ['STATUS', '1.1.0'],
]

test.each(SINCE.flatMap(([verb, since]) => VERSIONS.map((version) => [verb, version, since] as const)))(
  'requireVerb() of %s with %s (since %s)',
  (verb, version, since) => {
    if (isAtLeast(version, since)) expect(() => requireVerb(verb, version)).not.toThrow()
    else
      expect(() => requireVerb(verb, version)).toThrow(
        expect.objectContaining({
          code: 1,
          message: `config version does not allow ${verb}: cniVersion is ${version}, ${verb} came with ${since}`,
        }),
      )
  },
)
