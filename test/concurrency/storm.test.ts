/** Fewer and shorter rounds than `npm run concurrency`. */
import { expect, test } from 'vitest'
import { carelessDir } from '../conformance/careless.ts'
import { binDir } from '../support/plugin.ts'
import { BRIDGE, CHAIN, FLANNEL, runStorm, VXLAN } from './storm.ts'

test('200 mixed ADD and DEL at once over one bridge and one pool', async () => {
  expect(await runStorm({ dir: binDir(), calls: 200, rounds: 2, chain: BRIDGE })).toEqual([])
}, 300_000)

test('40 mixed ADD and DEL at once of a whole chain', async () => {
  expect(await runStorm({ dir: binDir(), calls: 40, rounds: 2, chain: CHAIN })).toEqual([])
}, 300_000)

test.each([
  ['flannel', FLANNEL],
  ['vxlan', VXLAN],
])(
  '100 mixed ADD and DEL at once of %s',
  async (_type, network) => {
    expect(await runStorm({ dir: binDir(), calls: 100, rounds: 2, ...network })).toEqual([])
  },
  300_000,
)

test('what a plugin without DEL leaves is found', async () => {
  const dir = carelessDir(['bridge', 'host-local'], ['ADD', 'CHECK'])
  const problems = (await runStorm({ dir, calls: 8, rounds: 1, chain: BRIDGE })).join('\n')
  expect(problems).toMatch(/is reserved for nobody/)
  expect(problems).toMatch(/veth pairs for 4 containers/)
  expect(problems).toMatch(/left at the end: \+ link veth/)
}, 60_000)
