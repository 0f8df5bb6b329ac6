/** Runs every case, in the guest, and prints a verdict each. */
import { writeSync } from 'node:fs'
import { cleanUp } from '../support/cleanup.ts'
import type { Verdict } from './case.ts'
import { cases } from './cases.ts'

const errorOf = (run: () => void): string => {
  try {
    run()
    return ''
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

for (const [name, run] of Object.entries(cases)) {
  const start = Date.now()
  const verdict: Verdict = { name, error: errorOf(run), milliseconds: Date.now() - start }
  writeSync(1, `${JSON.stringify(verdict)}\n`)
  cleanUp()
}
