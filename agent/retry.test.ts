import { expect, test, vi } from 'vitest'
import type { Log } from './log.ts'
import { openRetry, type Trouble } from './retry.ts'

const open = (once: boolean) => {
  const lines: string[] = []
  const log = { warn: () => lines.push('warn'), debug: () => lines.push('debug'), info: () => lines.push('info') }
  const troubles: (Trouble | undefined)[] = []
  const retry = openRetry({
    ...{ what: 'reading', log: log as unknown as Log, once },
    onTrouble: (trouble) => troubles.push(trouble),
  })
  return { lines, troubles, retry }
}

test('the same failure is said once, another one again, and that it works at the end', async () => {
  vi.useFakeTimers()
  const { lines, troubles, retry } = open(false)
  for (const words of ['away', 'away', 'denied']) {
    const waited = retry.failed(new Error(words), new AbortController().signal)
    await vi.advanceTimersByTimeAsync(60_000)
    await waited
  }
  retry.worked()
  vi.useRealTimers()
  expect(lines).toEqual(['warn', 'debug', 'warn', 'info'])
  expect(troubles.map((trouble) => trouble?.error)).toEqual(['away', 'away', 'denied', undefined])
})

test('nothing is said of what works from the beginning', () => {
  const { lines, retry } = open(false)
  retry.worked()
  expect(lines).toEqual([])
})

test('with --once the failure is the end', async () => {
  const { retry } = open(true)
  await expect(retry.failed(new Error('away'), new AbortController().signal)).rejects.toThrow('away')
})

test('a failure while stopping is none', async () => {
  const { lines, retry } = open(true)
  await retry.failed(new Error('aborted'), AbortSignal.abort())
  expect(lines).toEqual([])
})
