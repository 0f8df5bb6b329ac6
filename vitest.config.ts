/** Two projects. `unit`: tests beside the code, no root. `kernel`: everything in a folder under test/, which makes network
 *  namespaces, needs root and the build in dist/. */
import { defineConfig } from 'vitest/config'
import { counts } from './test/support/counts.ts'
import { GuestFirst } from './test/support/sequencer.ts'

const KERNEL = 'test/*/**/*.test.ts'

export default defineConfig({
  test: {
    allowOnly: false,
    passWithNoTests: false,
    reporters: ['default', counts],
    sequence: { sequencer: GuestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ['**/node_modules/**', 'dist/**', 'build/**', KERNEL],
          // a property takes its time on a busy machine
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'kernel',
          include: [KERNEL],
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
          globalSetup: ['test/support/run.ts'],
          setupFiles: ['test/support/setup.ts'],
        },
      },
    ],
  },
})
