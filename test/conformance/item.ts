/** An item of the checklist: a judgement of one plugin under one version of the specification. */
import type { Trial } from './trial.ts'

export interface Item {
  readonly number: number
  readonly title: string
  /** @throws Error whose message is what does not conform */
  readonly judge: (trial: Trial) => Promise<void>
}

/** Runs `body` for each of `cases` in turn. @throws Error with the reasons of all that failed */
export const each = async <T>(cases: readonly T[], body: (one: T) => Promise<void>): Promise<void> => {
  const reasons: string[] = []
  for (const one of cases) await body(one).catch((error: Error) => reasons.push(error.message))
  if (reasons.length > 0) throw new Error(reasons.join(' | '))
}
