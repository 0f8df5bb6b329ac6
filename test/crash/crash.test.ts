/** A sample of the kill points of every plugin and verb; `npm run crash` takes them all. */
import { describe, expect, test } from 'vitest'
import { carelessDir } from '../conformance/careless.ts'
import { binDir } from '../support/plugin.ts'
import { type Killed, runSeries } from './series.ts'
import { SUBJECTS } from './subject.ts'

const SAMPLE = 3
const VERBS: readonly Killed[] = ['ADD', 'DEL', 'GC']

describe.each(SUBJECTS)('$name', (subject) => {
  test.each(VERBS)(
    '%s killed on the way to a change leaves nothing after DEL and GC',
    async (verb) => {
      const row = await runSeries(binDir(), subject, verb, SAMPLE)
      expect(row.findings).toEqual([])
      expect(row.kills).toBe(Math.min(SAMPLE, row.points))
    },
    120_000,
  )
})

test('ADD has points to be killed at', async () => {
  const bridge = SUBJECTS.filter(({ name }) => name === 'bridge')
  const rows = await Promise.all(bridge.map((subject) => runSeries(binDir(), subject, 'ADD', 1)))
  expect(rows.map(({ points }) => points > 20)).toEqual([true])
}, 120_000)

test('what a plugin without DEL and GC leaves is found', async () => {
  const dir = carelessDir(['bridge', 'host-local'], ['ADD', 'CHECK'])
  const [bridge] = SUBJECTS.filter(({ name }) => name === 'bridge')
  if (bridge === undefined) throw new Error('no bridge')
  const row = await runSeries(dir, bridge, 'ADD', 4)
  expect(row.leftByDel).toBeGreaterThan(0)
  expect(row.findings.map(({ what }) => what).join('\n')).toMatch(/left after DEL and GC: .*veth/)
}, 120_000)
