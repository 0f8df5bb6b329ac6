/** Numbers from noisy runs. */

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b)

/** The value that `share` (0 to 1) of the values do not exceed, between neighbours where it falls between them. */
export const quantile = (values: readonly number[], share: number): number => {
  const ranked = sorted(values)
  const at = (ranked.length - 1) * share
  const low = ranked[Math.floor(at)] ?? Number.NaN
  const high = ranked[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Two values measured right after each other. */
export interface Pair {
  readonly podwire: number
  readonly reference: number
}

/** Medians of both sides, and the median of the quotients of pairs. */
export const summaryOf = (pairs: readonly Pair[]): Pair & { readonly ratio: number } => ({
  podwire: median(pairs.map(({ podwire }) => podwire)),
  reference: median(pairs.map(({ reference }) => reference)),
  ratio: median(pairs.map(({ podwire, reference }) => podwire / reference)),
})
