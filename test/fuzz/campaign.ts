/** All fuzzers of this process, one after the other. */
import { fuzzConf, fuzzPrevResult } from './conf-fuzz.ts'
import { fuzzEnv } from './env-fuzz.ts'
import { aftermath, type Ground, prepareGround } from './ground.ts'
import { fuzzStdin } from './stdin-fuzz.ts'
import type { Violation } from './violation.ts'

type Fuzzer = (ground: Ground, cases: number, seed: number) => readonly Violation[]

/** Each with its share of the cases. */
export const FUZZERS: Readonly<Record<string, { readonly share: number; readonly fuzz: Fuzzer }>> = {
  keys: { share: 0.5, fuzz: fuzzConf },
  prevResult: { share: 0.2, fuzz: fuzzPrevResult },
  environment: { share: 0.2, fuzz: fuzzEnv },
  stdin: { share: 0.1, fuzz: fuzzStdin },
}

export interface Tally {
  readonly name: string
  readonly cases: number
  readonly violations: readonly Violation[]
}

export interface Campaign {
  readonly cases: number
  readonly seed: number
  /** Name of one fuzzer; all when absent. */
  readonly only?: string | undefined
  readonly progress?: (tally: Tally) => void
}

/** Cases tried between two words of progress. */
const BATCH = 500

const runOne = (ground: Ground, name: string, cases: number, campaign: Campaign): Tally => {
  const violations: Violation[] = []
  for (let done = 0; done < cases; done += BATCH) {
    const count = Math.min(BATCH, cases - done)
    violations.push(...(FUZZERS[name]?.fuzz(ground, count, campaign.seed + done) ?? []))
    campaign.progress?.({ name, cases: done + count, violations })
  }
  return { name, cases, violations }
}

const AFTER = 'when all was over'

/** Tries `cases` cases in all. */
export const runCampaign = async (campaign: Campaign): Promise<readonly Tally[]> => {
  const ground = await prepareGround()
  const chosen = Object.entries(FUZZERS).filter(([name]) => campaign.only === undefined || name === campaign.only)
  const tallies = chosen.map(([name, { share }]) => {
    const part = campaign.only === undefined ? share : 1
    return runOne(ground, name, Math.ceil(campaign.cases * part), campaign)
  })
  const left = aftermath(ground).map((what) => ({ where: AFTER, what, input: '' }))
  return [...tallies, { name: 'aftermath', cases: 0, violations: left }]
}
