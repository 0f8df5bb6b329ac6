/** The first ADD of `vxlan` on a node, killed on its way to a change: what it leaves of the overlay, the next ADD completes. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PROFILES, type Profile } from '../conformance/profile.ts'
import { makeTrial, type Trial } from '../conformance/trial.ts'
import { binDir } from '../support/plugin.ts'
import { killPoints, traced } from './kill.ts'

const SAMPLE = 12

/** A node with no lease in the store yet, and no network configuration but the plugin's own. */
const freshTrial = async (): Promise<Trial> => {
  const profile = PROFILES.find(({ plugin }) => plugin === 'vxlan') as Profile
  const netConf = { Network: '10.77.0.0/16', Backend: { Type: 'vxlan', VNI: 7 } }
  const conf: Profile['conf'] = (bed, index) => ({
    ...{ ...profile.conf(bed, index), netConf },
    store: { dir: `${bed.folder}/.fresh` },
  })
  return makeTrial(binDir(), { ...profile, conf }, '1.1.0')
}

const withTrial = async <T>(use: (trial: Trial) => Promise<T>): Promise<T> => {
  const trial = await freshTrial()
  try {
    return await use(trial)
  } finally {
    await trial.bed.remove()
  }
}

test('a first ADD that was killed leaves nothing that the next does not put in order', async () => {
  const points = await withTrial(async (trial) => killPoints(trial, 'ADD', await trial.attachment()))
  expect(points.length).toBeGreaterThan(30)
  for (let i = 0; i < SAMPLE; i++) {
    const point = points[Math.floor(((i + 0.5) * points.length) / SAMPLE)]
    await withTrial(async (trial) => {
      const killed = await trial.attachment()
      await traced(trial, 'ADD', killed, point)
      const next = await trial.attached()
      const where = `${point?.name} ${point?.ordinal}: ${point?.text.slice(0, 100)}`
      expect([where, (await trial.call('CHECK', next)).stdout]).toEqual([where, ''])
      expect([where, (await trial.call('DEL', killed)).stdout]).toEqual([where, ''])
      expect([where, (await trial.gc([next])).stdout]).toEqual([where, ''])
      expect([where, (await trial.call('CHECK', next)).stdout]).toEqual([where, ''])
      const leases = readdirSync(`${trial.bed.folder}/.fresh/subnets`)
      expect([where, leases.filter((name) => name.endsWith('.json')).length, leases.length]).toEqual([where, 1, 1])
      const kept = (readdirSync(`${trial.bed.folder}/vxlan`) as string[]).filter((name) => !name.startsWith('.'))
      expect([where, kept]).toEqual([where, [next.containerID]])
    })
  }
}, 300_000)
