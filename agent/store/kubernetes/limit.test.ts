import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLimit } from './limit.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('openLimit() aborts when its time is over, and says so', () => {
  const limit = openLimit(new AbortController().signal, 30_000)
  vi.advanceTimersByTime(29_999)
  expect([limit.signal.aborted, limit.exceeded()]).toEqual([false, undefined])
  vi.advanceTimersByTime(1)
  expect([limit.signal.aborted, limit.exceeded()]).toEqual([true, 'nothing was heard for 30 s'])
})

test('openLimit() is pushed out by what is heard', () => {
  const limit = openLimit(new AbortController().signal, 1000)
  for (let i = 0; i < 5; i++) {
    vi.advanceTimersByTime(900)
    limit.extend(1000)
  }
  expect(limit.signal.aborted).toBe(false)
  vi.advanceTimersByTime(1000)
  expect(limit.exceeded()).toBe('nothing was heard for 1 s')
})

test('openLimit() aborts with its parent, before and after', () => {
  const parent = new AbortController()
  const limit = openLimit(parent.signal, 1000)
  parent.abort(new Error('enough'))
  expect([limit.signal.reason, limit.exceeded()]).toEqual([new Error('enough'), undefined])
  expect(openLimit(parent.signal, 1000).signal.aborted).toBe(true)
})

test('a closed limit does nothing more', () => {
  const parent = new AbortController()
  const limit = openLimit(parent.signal, 1000)
  limit.close()
  vi.advanceTimersByTime(5000)
  parent.abort()
  expect([limit.signal.aborted, limit.exceeded(), vi.getTimerCount()]).toEqual([false, undefined, 0])
})
