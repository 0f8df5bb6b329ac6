/** `npm run soak -- [--minutes 60] [--peers 5000]`: an idle agent, watched. Prints a sample every half a minute, then a line of
 *  JSON. Exit status 1 when it took more than 1 % of a core or its memory grew by more than 5 MiB. */
import { parseArgs } from 'node:util'
import { type Sample, startIdle, verdictOf, watch } from '../test/soak/soak.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, peers: { type: 'string', default: '5000' } },
})
const forMs = Number(values.minutes) * 60_000
const everyMs = Math.min(30_000, forMs / 12)
const MOST_PERCENT = 1
const MOST_GROWTH_MIB = 5

const tell = ({ at, rssMiB, cpuPercent }: Sample): void =>
  console.log(`${at.toFixed(0).padStart(5)} s  ${rssMiB.toFixed(1)} MiB  ${cpuPercent.toFixed(2)} % of a core`)

const agent = await startIdle(Number(values.peers), 30_000)
const verdict = verdictOf(await watch(agent, { everyMs, forMs }, tell))
agent.end()
console.log(JSON.stringify(verdict))
const grown = verdict.lastMiB - verdict.firstMiB
process.exit(verdict.cpuPercent <= MOST_PERCENT && grown <= MOST_GROWTH_MIB ? 0 : 1)
