/** The table of the agent's options and the unit that starts it, against the schema and the executable. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OPTION_TABLE } from '../../agent/option-table.ts'
import { readDocument } from './document.ts'
import { runOnMachine } from './sandbox.ts'

const ROOT = new URL('../..', import.meta.url).pathname

/** Cells of the rows of the table under "### Options". */
const rows = (): readonly (readonly string[])[] => {
  const [, after = ''] = readDocument(`${ROOT}docs/node-layer.md`).split('\n### Options\n')
  const [, table = ''] = after.split('| option | value | default | |\n')
  return (table.split('\n\n')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
}

test('docs/node-layer.md lists every option of the agent, with its default and what it is', () => {
  const stated = (value: unknown): string =>
    value === '' || (Array.isArray(value) && value.length === 0) ? '' : `\`${value}\``
  const wanted = OPTION_TABLE.map((spec) => [`\`${spec.key}\``, stated(spec.default), spec.about])
  expect(rows().map(([, key, , preset, about]) => [key, preset, about])).toEqual(wanted)
})

test('the command of conf/systemd/podwire-agent.service starts an agent that takes its environment', () => {
  const unit = readFileSync(`${ROOT}conf/systemd/podwire-agent.service`, 'utf8')
  const command = /^ExecStart=(.+)$/m.exec(unit)?.[1] ?? ''
  const ran = runOnMachine(['dist/podwire install', `PODWIRE_STORE=etcd ${command} --print-config`])
  expect(ran.map(({ status }) => status)).toEqual([0, 0])
  expect(ran[1]?.output.join('\n')).toMatch(/^store +etcd +PODWIRE_STORE$/m)
})
