/** The checklist over the build: every item and plugin, under the oldest version, the newest and one between by chance. `npm
 *  run conformance` asks all of them. */
import { describe, expect, test } from 'vitest'
import { binDir } from '../support/plugin.ts'
import { RULES } from './applicability.ts'
import { carelessDir } from './careless.ts'
import { PROFILES } from './profile.ts'
import { ITEMS, runChecklist, tasksOf } from './run.ts'

const MINUTES = 60_000

test('the checklist has its 43 items, each with a rule of what it applies to', () => {
  const numbers = Array.from({ length: 43 }, (_, i) => i + 1)
  expect(ITEMS.map(({ number }) => number)).toEqual(numbers)
  expect(Object.keys(RULES).map(Number)).toEqual(numbers)
})

test('every plugin of the pod layer is in the build, and every item is asked of one', () => {
  const tasks = tasksOf({ dir: binDir() })
  expect(new Set(tasks.map(({ profile }) => profile.plugin))).toEqual(new Set(PROFILES.map(({ plugin }) => plugin)))
  expect(new Set(tasks.map(({ item }) => item.number)).size).toBe(43)
})

describe.each(PROFILES.map(({ plugin }) => plugin))('%s', (plugin) => {
  test('passes every item', { timeout: 10 * MINUTES }, async () => {
    const verdicts = await runChecklist({ dir: binDir(), plugin, sample: true })
    expect(verdicts.filter(({ pass }) => !pass)).toEqual([])
    expect(verdicts.length).toBeGreaterThan(50)
  })
})

test('a plugin that cleans nothing up and checks nothing fails where that matters', {
  timeout: 3 * MINUTES,
}, async () => {
  const dir = carelessDir(['bridge', 'host-local'], ['ADD', 'VERSION'])
  const verdicts = await runChecklist({ dir, plugin: 'bridge', version: '1.1.0' })
  const failed = verdicts.filter(({ pass }) => !pass).map(({ item }) => item)
  expect(failed).toEqual([
    2, 3, 4, 5, 6, 7, 11, 15, 16, 17, 18, 19, 20, 22, 24, 25, 26, 27, 28, 29, 31, 32, 37, 38, 39, 40, 41,
  ])
})

test('a plugin that answers nothing fails', { timeout: MINUTES }, async () => {
  const verdicts = await runChecklist({ dir: carelessDir(['ptp'], ['NEVER']), plugin: 'ptp', version: '1.0.0' })
  expect(verdicts.filter(({ pass }) => pass)).toEqual([])
})
