/** Everything that is tried on a real cluster, in order. */
import type { Cases } from './case.ts'
import { storeCases } from './store-cases.ts'

export const cases: Cases = { ...storeCases }
