/** The four things done with a plan: print it, apply it or undo, find what has drifted, remove it. */
import { writeSync } from 'node:fs'
import { CniError, ERR_DRIFT } from '../cni/error.ts'
import type { Kernel } from './kernel.ts'
import { operationsOf } from './operations.ts'
import type { Fact, Plan } from './plan.ts'

/** One command a line. */
export const renderPlan = (plan: Plan): string => plan.map((fact) => operationsOf(fact).render(fact)).join('\n')

const undo = (created: readonly Fact[], kernel: Kernel): void => {
  for (const fact of created.toReversed()) {
    try {
      operationsOf(fact).remove(fact, kernel)
    } catch {
      // the first failure is the one to report; DEL and GC find by name and owner what is left
    }
  }
}

/** Makes every fact hold, in order. When one fails, those that this call created are removed again, last first, and the
 *  failure is thrown. @throws NetlinkError, CniError */
export const apply = (plan: Plan, kernel: Kernel): void => {
  const created: Fact[] = []
  try {
    for (const fact of plan) {
      if (process.env.CNI_DEBUG === 'plan') writeSync(2, `${operationsOf(fact).render(fact)}\n`)
      if (operationsOf(fact).ensure(fact, kernel)) created.push(fact)
    }
  } catch (error) {
    undo(created, kernel)
    throw error
  }
}

/** Why the plan does not hold: one line for each fact that does not; empty when all do. */
export const driftOf = (plan: Plan, kernel: Kernel): string[] =>
  plan.map((fact) => operationsOf(fact).drift(fact, kernel)).filter((why) => why !== undefined)

/** CHECK. @throws CniError 100 naming the first finding, with all of them in its details */
export const requireNoDrift = (plan: Plan, ifName: string, kernel: Kernel): void => {
  const drift = driftOf(plan, kernel)
  if (drift.length === 0) return
  throw new CniError(ERR_DRIFT, `the attachment ${ifName} has drifted: ${drift[0]}`, drift.join('\n'))
}

/** Takes every fact back, last first, going on past failures. @throws the first failure, after all were tried */
export const remove = (plan: Plan, kernel: Kernel): void => {
  const failures: unknown[] = []
  for (const fact of plan.toReversed()) {
    try {
      operationsOf(fact).remove(fact, kernel)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
