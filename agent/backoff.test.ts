import { expect, test } from 'vitest'
import { openBackoff } from './backoff.ts'

test('openBackoff() doubles up to the most, and starts again after a reset', () => {
  const { next, reset } = openBackoff(1000, 5000, () => 1)
  expect([next(), next(), next(), next(), next()]).toEqual([1000, 2000, 4000, 5000, 5000])
  reset()
  expect(next()).toBe(1000)
})

test('openBackoff() waits at least half', () => {
  expect(openBackoff(1000, 5000, () => 0).next()).toBe(500)
})
