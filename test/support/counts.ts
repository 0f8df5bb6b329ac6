/** The last word of a test run: skipped tests are failures, and the file that TEST_COUNTS names gets "PASSED FAILED" for
 *  `bin/test.sh` to add up. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

const statesOf = (modules: readonly TestModule[]): readonly (readonly [name: string, state: string])[] =>
  modules.flatMap((module) => {
    const tests = [...module.children.allTests()].map((test) => [test.fullName, test.result().state] as const)
    const broken = module.errors().map((error) => [`${module.relativeModuleId}: ${error.message}`, 'failed'] as const)
    return [...tests, ...broken]
  })

const report = (file: string, states: ReturnType<typeof statesOf>, errors: number): void => {
  const passed = states.filter(([, state]) => state === 'passed').length
  const skipped = states.filter(([, state]) => state === 'skipped' || state === 'pending')
  for (const [name] of skipped) console.error(`not run, which counts as failed: ${name}`)
  writeFileSync(file, `${passed} ${states.length - passed + errors}\n`)
}

/** Reporter of vitest.config.ts; silent in a run by hand, which may well leave tests out. */
export const counts: Reporter = {
  onTestRunEnd: (modules, errors) => {
    const file = process.env['TEST_COUNTS']
    if (file !== undefined) report(file, statesOf(modules), errors.length)
  },
}
