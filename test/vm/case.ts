/** What runs in the guest: named functions that throw when something is not so. */

import { writeSync } from 'node:fs'

export type Cases = Readonly<Record<string, () => void>>

/** How one case ended: a line of JSON on the guest's stdout. */
export interface Verdict {
  readonly name: string
  /** '' when everything was so. */
  readonly error: string
  readonly milliseconds: number
}

/** A line that the test run prints: what a case has measured. */
export const say = (text: string): void => {
  writeSync(2, `${text}\n`)
}
