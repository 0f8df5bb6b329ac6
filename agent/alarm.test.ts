import { expect, test } from 'vitest'
import { openAlarm } from './alarm.ts'

const never = new AbortController().signal

test('a ring ends the wait', async () => {
  const alarm = openAlarm()
  setTimeout(alarm.ring, 5)
  await alarm.wait(undefined, never)
})

test('a ring while nobody waits ends the next wait, and only that one', async () => {
  const alarm = openAlarm()
  alarm.ring()
  await alarm.wait(undefined, never)
  const raced = await Promise.race([
    alarm.wait(undefined, never).then(() => 'rung'),
    new Promise((resolve) => setTimeout(resolve, 20, 'still waiting')),
  ])
  expect(raced).toBe('still waiting')
})

test('time and abort end the wait', async () => {
  const alarm = openAlarm()
  await alarm.wait(1, never)
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 5)
  await alarm.wait(undefined, stop.signal)
  await alarm.wait(undefined, stop.signal)
})
