/** Everything that is tried on a real cluster, in order. */
import { agentCases } from './agent-cases.ts'
import type { Cases } from './case.ts'
import { protocolCases } from './protocol-cases.ts'
import { storeCases } from './store-cases.ts'

export const cases: Cases = { ...protocolCases, ...storeCases, ...agentCases }
