/** The hour's soak in short: an agent of a thousand peers that nothing happens to. */
import { expect, test } from 'vitest'
import { startIdle, verdictOf, watch } from './soak.ts'

test('an idle agent takes next to nothing of a processor, and its memory does not grow', async () => {
  const agent = await startIdle(1000, 8000)
  const verdict = verdictOf(await watch(agent, { everyMs: 1000, forMs: 12_000 }))
  agent.end()
  // an agent that polls or leaks shows in seconds; what the bench holds it to is less
  expect(verdict.cpuPercent).toBeLessThan(5)
  expect(verdict.lastMiB - verdict.firstMiB).toBeLessThan(8)
  expect(verdict.samples).toBeGreaterThan(8)
})
