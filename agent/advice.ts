/** What an operator should know of this node when an agent has begun its work here, and what an earlier configuration left. */
import type { Kernel } from '../kernel/kernel.ts'
import { operationsOf } from '../kernel/operations.ts'
import type { Plan } from '../kernel/plan.ts'
import { OVERLAY_TABLE } from '../overlay/masquerade.ts'
import { forwardObstacles, masqueradeLeftovers } from '../overlay/masquerade-leftover.ts'
import { wordsOf } from './log.ts'
import type { Options } from './options.ts'

/** Our own table, when masquerading and forwarding are off now, or iptables' business. @throws NetlinkError */
export const removeUnplannedTable = (base: Plan, kernel: Kernel): void => {
  if (base.some(({ kind }) => kind === 'nft-table')) return
  operationsOf(OVERLAY_TABLE).remove(OVERLAY_TABLE, kernel)
}

/** A line each, with what to do. */
export const adviceFor = (options: Options, kernel: Kernel): readonly string[] => {
  const { masqueradeBackend: backend, iptablesForwardRules: forwardRules } = options
  try {
    return [...masqueradeLeftovers({ backend }, kernel), ...forwardObstacles({ backend, forwardRules }, kernel)]
  } catch (error) {
    return [`what others have in iptables cannot be read: ${wordsOf(error)}`]
  }
}
