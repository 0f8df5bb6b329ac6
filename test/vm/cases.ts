/** Everything that is tested in the guest. */
import type { Cases } from './case.ts'
import { chainCases } from './chain-cases.ts'
import { vlanCases } from './vlan-cases.ts'

export const cases: Cases = { ...vlanCases, ...chainCases }
