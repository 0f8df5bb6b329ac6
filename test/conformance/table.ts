/** Verdicts as text: a table per plugin, items as rows and versions as columns, the reasons of what failed below it. */
import { ITEMS, type Verdict } from './run.ts'
import { VERSIONS, type Version } from './version.ts'

const TITLE_WIDTH = 50

/** The elements of `list` by key, in the order of their first appearance. */
const groupBy = <T>(list: readonly T[], keyOf: (one: T) => string): readonly (readonly [string, readonly T[]])[] =>
  [...new Set(list.map(keyOf))].map((key) => [key, list.filter((one) => keyOf(one) === key)])

const cell = (verdicts: readonly Verdict[], version: Version): string => {
  const verdict = verdicts.find((one) => one.version === version)
  return verdict === undefined ? '' : verdict.pass ? 'pass' : 'FAIL'
}

const row = (number: string, title: string, cells: readonly string[]): string =>
  `| ${number.padStart(2)} | ${title.padEnd(TITLE_WIDTH)} |${cells.map((text) => ` ${text.padEnd(5)} |`).join('')}`

const span = (versions: readonly Version[]): string =>
  versions.length > 2 ? `${versions[0]} to ${versions.at(-1)}` : versions.join(', ')

/** Each reason once for an item, with the versions it was given under. */
const reasons = (number: number, verdicts: readonly Verdict[]): readonly string[] => {
  const failed = verdicts.filter(({ pass }) => !pass)
  const byWhy = groupBy(failed, ({ why }) => why.replaceAll(/\b\d\.\d\.\d\b/g, 'V'))
  return byWhy.map(([, group]) => `- ${number} (${span(group.map(({ version }) => version))}): ${group[0]?.why}`)
}

const pluginTable = (plugin: string, verdicts: readonly Verdict[]): string => {
  const versions = VERSIONS.filter((version) => verdicts.some((one) => one.version === version))
  const items = ITEMS.filter(({ number }) => verdicts.some(({ item }) => item === number))
  const of = (number: number): readonly Verdict[] => verdicts.filter(({ item }) => item === number)
  const head = row('', plugin, versions)
  const rule = `|----|${'-'.repeat(TITLE_WIDTH + 2)}|${'-------|'.repeat(versions.length)}`
  const rows = items.map(({ number, title }) =>
    row(
      String(number),
      title,
      versions.map((v) => cell(of(number), v)),
    ),
  )
  const below = items.flatMap(({ number }) => reasons(number, of(number)))
  const passed = verdicts.filter(({ pass }) => pass).length
  const total = `${plugin}: ${passed} of ${verdicts.length} pass`
  return [head, rule, ...rows, '', total, ...(below.length === 0 ? [] : ['', ...below])].join('\n')
}

/** All tables, and a last line with the sum. */
export const renderTables = (verdicts: readonly Verdict[]): string => {
  const tables = groupBy(verdicts, ({ plugin }) => plugin).map(([plugin, own]) => pluginTable(plugin, own))
  const passed = verdicts.filter(({ pass }) => pass).length
  return [...tables, `In all: ${passed} of ${verdicts.length} pass.`].join('\n\n')
}
