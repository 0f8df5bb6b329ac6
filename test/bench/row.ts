/** What the bench reports: one row for each measure. */

export interface Row {
  readonly measure: string
  readonly podwire: number
  readonly reference: number | null
  /** podwire / reference; null where the mark is on podwire's own value. */
  readonly ratio: number | null
  /** What must not be exceeded: by the ratio, or, without one, by podwire's value. */
  readonly reach: number
  /** True where `reach` is what must be reached at least. */
  readonly least: boolean
  readonly holds: boolean
}

const rounded = (value: number): number => Number(value.toPrecision(4))

/** A row whose mark is on the ratio. */
export const ratioRow = (
  measure: string,
  { podwire, reference, ratio }: { readonly podwire: number; readonly reference: number; readonly ratio: number },
  reach: number,
): Row => ({
  measure,
  podwire: rounded(podwire),
  reference: rounded(reference),
  ratio: rounded(ratio),
  reach,
  least: false,
  holds: ratio <= reach,
})

/** A row whose ratio must not be less than `reach`. */
export const leastRatioRow = (...[measure, sides, reach]: Parameters<typeof ratioRow>): Row => ({
  ...ratioRow(measure, sides, reach),
  least: true,
  holds: sides.ratio >= reach,
})

/** A row whose mark is on podwire's value; the reference's stands beside it. */
export const valueRow = (measure: string, podwire: number, reference: number | null, reach: number): Row => ({
  measure,
  podwire: rounded(podwire),
  reference: reference === null ? null : rounded(reference),
  ratio: null,
  reach,
  least: false,
  holds: podwire <= reach,
})

const HEAD = ['measure', 'podwire', 'reference', 'ratio', 'reach', 'holds'] as const satisfies (keyof Row)[]

const cell = (value: Row[keyof Row]): string => {
  if (value === null) return '-'
  return typeof value === 'boolean' ? (value ? 'yes' : 'NO') : String(value)
}

const cellsOf = (row: Row): readonly string[] =>
  HEAD.map((key) => (key === 'reach' ? `${row.least ? '>=' : '<='} ${row.reach}` : cell(row[key])))

/** The rows as a Markdown table, its columns aligned. */
export const renderTable = (rows: readonly Row[]): string => {
  const lines = [HEAD, ...rows.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  const render = (cells: readonly string[]): string =>
    `| ${cells.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [render(HEAD), rule, ...lines.slice(1).map(render)].join('\n')
}
