/** `npm run concurrency -- [--bin-dir DIR] [--calls 200] [--rounds 20] [--chain] [--flannel | --vxlan]`: many ADDs and DELs at once. Exit status 0
 *  when none fails, no address is given twice and nothing is left. */
import { parseArgs } from 'node:util'
import { BRIDGE, CHAIN, FLANNEL, runStorm, VXLAN } from '../test/concurrency/storm.ts'
import { binDir } from '../test/support/plugin.ts'

const { values } = parseArgs({
  options: {
    'bin-dir': { type: 'string' },
    calls: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '20' },
    chain: { type: 'boolean', default: false },
    flannel: { type: 'boolean', default: false },
    vxlan: { type: 'boolean', default: false },
  },
})

const overlay = values.flannel ? FLANNEL : values.vxlan ? VXLAN : undefined
const network = overlay ?? { chain: values.chain ? CHAIN : BRIDGE }
const calls = Number(values.calls)
const rounds = Number(values.rounds)
const problems = await runStorm({
  dir: values['bin-dir'] ?? binDir(),
  calls,
  rounds,
  ...network,
  progress: (round, seconds, found) =>
    process.stderr.write(`round ${round} of ${rounds}: ${seconds.toFixed(1)} s, ${found} problems\n`),
})
const sum = problems.length === 0 ? 'no error, no duplicate, nothing left' : `${problems.length} problems`
process.stdout.write([`${rounds} rounds of ${calls} calls at once: ${sum}`, ...problems, ''].join('\n'))
process.exitCode = problems.length === 0 ? 0 : 1
