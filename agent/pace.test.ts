import { expect, test } from 'vitest'
import { openPace } from './pace.ts'

test('openPace() lets a single cause wait for what comes with it', () => {
  expect(openPace(50, 1000).due(1000)).toBe(1050)
})

test('openPace() spreads passes under a storm, and forgets it after', () => {
  const pace = openPace(50, 1000)
  const times: number[] = []
  let now = 0
  for (let i = 0; i < 8; i++) {
    now = pace.due(now)
    pace.ran(now)
    times.push(now)
  }
  expect(times.slice(1).map((time, i) => time - (times[i] ?? 0))).toEqual([50, 100, 200, 400, 800, 1000, 1000])
  now += 10_000
  pace.ran(pace.due(now))
  expect(pace.due(now + 100) - (now + 100)).toBe(50)
})
