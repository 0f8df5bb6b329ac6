/** Work that must go on past errors: DEL (SPEC.md §2, best effort) and GC (as much as possible, all errors reported). */
import { CniError } from './error.ts'
import { failureOf } from './failure.ts'

const merge = (first: CniError, others: readonly CniError[]): CniError => {
  const all = [first, ...others]
  const details = all.map((error) => (error.details === '' ? error.message : `${error.message}: ${error.details}`))
  return new CniError(first.code, all.map((error) => error.message).join('; '), details.join('\n'), { cause: first })
}

/** Runs every step, also after one failed. @throws CniError the one failure, or all of them in one with the first's code */
export const runAll = (...steps: readonly (() => void)[]): void => {
  const failures = steps.flatMap((step) => {
    try {
      step()
      return []
    } catch (error) {
      return [failureOf(error)]
    }
  })
  const [first, ...others] = failures
  if (first !== undefined) throw others.length === 0 ? first : merge(first, others)
}
