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

/** Characters of a reason that are printed. */
const LONGEST = 400
const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST)} ...`)

/** Each reason once for an item, with the versions it was given under. */
const reasons = (number: number, verdicts: readonly Verdict[]): readonly string[] => {
  const failed = verdicts.filter(({ pass }) => !pass)
  const byWhy = groupBy(failed, ({ why }) => why.replaceAll(/\b\d\.\d\.\d\b/g, 'V'))
  return byWhy.map(
    ([, group]) => `- ${number} (${span(group.map(({ version }) => version))}): ${cut(group[0]?.why ?? '')}`,
  )
}

/** The versions that a plugin does not have: all else that fails under them says nothing more. */
const unsupported = (verdicts: readonly Verdict[]): readonly Version[] =>
  verdicts.filter(({ item, pass }) => item === 1 && !pass).map(({ version }) => version)

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
  const without = unsupported(verdicts)
  const telling = (number: number): readonly Verdict[] => of(number).filter(({ version }) => !without.includes(version))
  const below = [
    ...without.map((version) => `- every item under ${version}: ${plugin} does not have this version`),
    ...items.flatMap(({ number }) => reasons(number, telling(number))),
  ]
  const passed = verdicts.filter(({ pass }) => pass).length
  const total = `${plugin}: ${passed} of ${verdicts.length} pass`
  return [head, rule, ...rows, '', total, ...(below.length === 0 ? [] : ['', ...below])].join('\n')
}

/** What the first directory passes and the second does not, under one version: item, and the plugins. */
export const renderDifferences = (ours: readonly Verdict[], theirs: readonly Verdict[], version: Version): string => {
  const isAhead = (one: Verdict): boolean =>
    !one.pass &&
    one.version === version &&
    ours.some((own) => own.pass && own.item === one.item && own.plugin === one.plugin && own.version === version)
  const lines = ITEMS.flatMap(({ number, title }) => {
    const plugins = theirs.filter((one) => one.item === number && isAhead(one)).map(({ plugin }) => plugin)
    return plugins.length === 0 ? [] : [`| ${number} | ${title} | ${plugins.join(', ')} |`]
  })
  return ['| | item | plugins |', '|---|---|---|', ...lines].join('\n')
}

/** All tables, and a last line with the sum. */
export const renderTables = (verdicts: readonly Verdict[]): string => {
  const tables = groupBy(verdicts, ({ plugin }) => plugin).map(([plugin, own]) => pluginTable(plugin, own))
  const passed = verdicts.filter(({ pass }) => pass).length
  return [...tables, `In all: ${passed} of ${verdicts.length} pass.`].join('\n\n')
}
