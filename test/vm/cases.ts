/** Everything that is tested in the guest. */

import { agentCases } from './agent-cases.ts'
import { bridgeCases } from './bridge-cases.ts'
import type { Cases } from './case.ts'
import { chainCases } from './chain-cases.ts'
import { overlayCases } from './overlay-cases.ts'
import { pingCases } from './ping-cases.ts'
import { takeoverCases } from './takeover-cases.ts'
import { wireguardCases } from './wireguard-cases.ts'
import { wireguardFleetCases } from './wireguard-fleet-cases.ts'

export const cases: Cases = {
  ...agentCases,
  ...bridgeCases,
  ...chainCases,
  ...overlayCases,
  ...pingCases,
  ...takeoverCases,
  ...wireguardCases,
  ...wireguardFleetCases,
}
