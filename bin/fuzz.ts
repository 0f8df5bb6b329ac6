/** `npm run fuzz -- [--cases 10000] [--seed N] [--only keys|prevResult|environment|stdin] [--json]`: wrong input of every
 *  kind. Exit status 0 when every answer is a typed error that says why, or a success that leaves nothing. */
import { parseArgs } from 'node:util'
import { runCampaign, type Tally } from '../test/fuzz/campaign.ts'
import type { Violation } from '../test/fuzz/violation.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

const SEEDS = 2 ** 31
const seed = values.seed === undefined ? Math.floor(Math.random() * SEEDS) : Number(values.seed)
const progress = ({ name, cases, violations }: Tally): void => {
  process.stderr.write(`${name}: ${cases} cases, ${violations.length} violations\n`)
}

/** The first violation of each place and kind. */
const distinct = (violations: readonly Violation[]): readonly Violation[] => {
  const kind = ({ where, what }: Violation): string => `${where} ${what.replaceAll(/"[^"]*"/g, '').slice(0, 60)}`
  const kinds = new Set(violations.map(kind))
  return [...kinds].flatMap((one) => violations.find((violation) => kind(violation) === one) ?? [])
}

const tallies = await runCampaign({ cases: Number(values.cases), seed, only: values.only, progress })
const found = tallies.flatMap(({ violations }) => violations)
const lines = values.json
  ? found.map((violation) => JSON.stringify({ seed, ...violation }))
  : [
      `seed ${seed}`,
      ...tallies.map(({ name, cases, violations }) => `${name}: ${cases} cases, ${violations.length} violations`),
      ...distinct(found).map(({ where, what, input }) => `- ${where}: ${what}\n  ${input.slice(0, 500)}`),
    ]
process.stdout.write(`${lines.join('\n')}\n`)
process.exitCode = found.length === 0 ? 0 : 1
