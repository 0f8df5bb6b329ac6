/** `npm run bench -- [NAME ...] [--json]`: podwire and what it is compared with, in turn, in fresh network namespaces, as root.
 *  Prints a table, or with --json one object a line. Exit status 1 when a row does not hold. */
import { parseArgs } from 'node:util'
import { MEASURES } from '../test/bench/measures.ts'
import { type Row, renderTable } from '../test/bench/row.ts'

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const unknown = positionals.filter((name) => !Object.hasOwn(MEASURES, name))
if (unknown.length > 0)
  throw new Error(`there is no measure called ${unknown.join(', ')}: choose from ${Object.keys(MEASURES).join(', ')}`)

const names = positionals.length > 0 ? positionals : Object.keys(MEASURES)
const rows: Row[] = []
for (const name of names)
  for (const row of MEASURES[name]?.() ?? []) {
    rows.push(row)
    if (values.json) console.log(JSON.stringify(row))
  }
if (!values.json) console.log(renderTable(rows))
process.exit(rows.every(({ holds }) => holds) ? 0 : 1)
