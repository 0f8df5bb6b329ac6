/** `npm run crash -- [--bin-dir DIR] [--plugin X] [--verb ADD|DEL|GC] [--sample N] [--json]`: kills plugins at every system
 *  call that changes state. Without --bin-dir: what `npm run build` left. Exit status 0 when nothing is ever left. */
import { parseArgs } from 'node:util'
import { renderCrashes, runCrashes } from '../test/crash/matrix.ts'
import type { Row } from '../test/crash/series.ts'
import { binDir } from '../test/support/plugin.ts'

const { values } = parseArgs({
  options: {
    'bin-dir': { type: 'string' },
    plugin: { type: 'string' },
    verb: { type: 'string' },
    sample: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

/** Nothing found, and, where there was something to kill, something killed. */
const isClean = ({ findings, kills, points }: Row): boolean => findings.length === 0 && (kills > 0 || points === 0)

const progress = ({ subject, verb, kills, findings }: Row): void => {
  process.stderr.write(`${subject} ${verb}: ${kills} kills, ${findings.length} findings\n`)
}

const rows = await runCrashes({
  dir: values['bin-dir'] ?? binDir(),
  plugin: values.plugin,
  verb: values.verb,
  sample: values.sample === undefined ? Number.POSITIVE_INFINITY : Number(values.sample),
  progress,
})
const text = values.json ? rows.map((row) => JSON.stringify(row)).join('\n') : renderCrashes(rows)
process.stdout.write(`${text}\n`)
process.exitCode = rows.length > 0 && rows.every(isClean) ? 0 : 1
