/** Run by vitest before the first and after the last kernel test: installs the build, once, and removes what killed runs
 *  left. */
import { cleanUp, removeOrphans } from './cleanup.ts'
import { INSTALLED, installPlugins } from './plugin.ts'

export const setup = (): void => {
  removeOrphans()
  process.env[INSTALLED] = installPlugins()
}

export const teardown = (): void => {
  cleanUp()
  removeOrphans()
}
