import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openSchedule } from './schedule.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const open = () => {
  const done: string[] = []
  const schedule = openSchedule({ pass: () => done.push('pass'), flush: () => done.push('flush') })
  return { done, schedule }
}

test('what comes in one turn is brought to the kernel at once', () => {
  const { done, schedule } = open()
  for (let i = 0; i < 5; i++) schedule.flushSoon()
  vi.advanceTimersByTime(1)
  expect(done).toEqual(['flush'])
})

test('several causes within the time of gathering are one pass', () => {
  const { done, schedule } = open()
  for (let i = 0; i < 5; i++) {
    schedule.passSoon()
    vi.advanceTimersByTime(5)
  }
  vi.advanceTimersByTime(1000)
  expect(done).toEqual(['pass'])
})

test('the nearest time counts', () => {
  const { done, schedule } = open()
  schedule.passIn(5000)
  schedule.passNow()
  vi.advanceTimersByTime(1)
  expect(done).toEqual(['pass'])
  vi.advanceTimersByTime(10_000)
  expect(done).toEqual(['pass'])
})

test('nothing runs after the stop', () => {
  const { done, schedule } = open()
  schedule.passSoon()
  schedule.flushSoon()
  schedule.stop()
  schedule.passNow()
  vi.advanceTimersByTime(10_000)
  expect(done).toEqual([])
})
