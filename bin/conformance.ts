/** `npm run conformance -- --bin-dir DIR [--plugin X] [--item N] [--spec V] [--json]`: the checklist over any folder of
 *  plugins. Exit status 0 when all pass, 1 when something does not, 2 for a wrong call. `--docs FILE` writes the page that
 *  compares the build with the reference. */
import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { renderPage } from '../test/conformance/document.ts'
import { runChecklist, type Verdict } from '../test/conformance/run.ts'
import { renderTables } from '../test/conformance/table.ts'
import { binDir } from '../test/support/plugin.ts'

const { values } = parseArgs({
  options: {
    'bin-dir': { type: 'string' },
    plugin: { type: 'string' },
    item: { type: 'string' },
    spec: { type: 'string' },
    width: { type: 'string' },
    docs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

const progress = (done: number, all: number, { plugin, item, version, pass }: Verdict): void => {
  const text = `${done}/${all} ${plugin} item ${item} at ${version}: ${pass ? 'pass' : 'FAIL'}`
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (done % 100 === 0 || done === all) process.stderr.write(`${text}\n`)
}

if (values.docs !== undefined) {
  writeFileSync(values.docs, await renderPage(binDir(), progress))
  process.exit(0)
}

const dir = values['bin-dir']
if (dir === undefined || !existsSync(dir)) {
  process.stderr.write(
    `--bin-dir must name a folder of plugins; ${dir === undefined ? 'it is missing' : `${dir} does not exist`}\n`,
  )
  process.exit(2)
}

const verdicts = await runChecklist({
  dir,
  plugin: values.plugin,
  item: values.item === undefined ? undefined : Number(values.item),
  version: values.spec,
  ...(values.width === undefined ? {} : { width: Number(values.width) }),
  progress,
})
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
if (verdicts.length === 0) process.stderr.write(`no plugin of the pod layer, or no such item, in ${dir}\n`)
const text = values.json ? verdicts.map((verdict) => JSON.stringify(verdict)).join('\n') : renderTables(verdicts)
process.stdout.write(`${text}\n`)
process.exitCode = verdicts.length > 0 && verdicts.every(({ pass }) => pass) ? 0 : 1
