import { expect, test } from 'vitest'
import { openPace } from './pace.ts'

/** Ms between passes of `cost` ms that are asked for again at once. */
const gaps = (count: number, cost: number): readonly number[] => {
  const pace = openPace()
  const times = [0]
  for (let i = 0, now = 0; i < count; i++) {
    now = pace.due(now)
    pace.ran(now, cost)
    times.push(now)
  }
  return times.slice(1).map((time, i) => Math.round(time - (times[i] ?? 0)))
}

test('openPace() lets a cause wait for what comes with it', () => {
  expect(openPace().due(1000)).toBe(1030)
})

test('openPace() runs a burst of passes at once, and then one a second', () => {
  const [first, later] = [gaps(30, 1).slice(0, 10), gaps(30, 1).slice(20)]
  expect(first).toEqual(Array(10).fill(30))
  expect(later).toEqual(Array(10).fill(1000))
})

test('openPace() leaves more time between passes that take long', () => {
  expect(gaps(30, 100).slice(20)).toEqual(Array(10).fill(2000))
})

test('openPace() forgets a storm', () => {
  const pace = openPace()
  for (let i = 0; i < 20; i++) pace.ran(0, 1)
  expect(pace.due(60_000)).toBe(60_030)
})
