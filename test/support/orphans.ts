/** Run by vitest before the first and after the last test of a run: removes what killed runs left. */
import { removeOrphans } from './cleanup.ts'

export const setup = removeOrphans
export const teardown = removeOrphans
