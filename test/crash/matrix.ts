/** All series, some at a time, and their table. */
import { type Killed, type Row, runSeries } from './series.ts'
import { SUBJECTS, type Subject } from './subject.ts'

const VERBS: readonly Killed[] = ['ADD', 'DEL', 'GC']
const WIDTH = 3

export interface CrashSelection {
  /** Folder of the plugins. */
  readonly dir: string
  readonly plugin?: string | undefined
  readonly verb?: string | undefined
  /** Kill points of each series at most. */
  readonly sample: number
  readonly progress?: (row: Row) => void
}

export const runCrashes = async ({ dir, plugin, verb, sample, progress }: CrashSelection): Promise<readonly Row[]> => {
  const chosen = SUBJECTS.filter(({ profile }) => plugin === undefined || profile.plugin === plugin)
  const verbs = VERBS.filter((one) => verb === undefined || one === verb)
  const tasks = chosen.flatMap((subject): [Subject, Killed][] => verbs.map((one) => [subject, one]))
  const rows: Row[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < tasks.length; i = next++) {
      const [subject, one] = tasks[i] as [Subject, Killed]
      const row = await runSeries(dir, subject, one, sample)
      rows[i] = row
      progress?.(row)
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
  return rows
}

const line = (cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell, i) => String(cell)[i === 0 ? 'padEnd' : 'padStart']([32, 4, 6, 6, 17, 21][i] ?? 0)).join(' | ')} |`

/** The table, and what was found below it. */
export const renderCrashes = (rows: readonly Row[]): string => {
  const head = line(['plugin', 'verb', 'points', 'kills', 'left for GC by DEL', 'left after DEL and GC'])
  const rule = '|---|---|---:|---:|---:|---:|'
  const body = rows.map(({ subject, verb, points, kills, leftByDel, findings }) =>
    line([subject, verb, points, kills, leftByDel, findings.length]),
  )
  const below = rows.flatMap(({ subject, verb, findings }) =>
    findings.map(({ point, what }) => `- ${subject} ${verb}, killed at ${point}: ${what}`),
  )
  return [head, rule, ...body, ...(below.length === 0 ? [] : ['', ...below])].join('\n')
}
