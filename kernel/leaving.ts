/** What is left of a fact's former value once its new one holds: a fact to be removed. */
import { isSame } from './identity.ts'
import type { Fact } from './plan.ts'

const without = <T>(all: readonly T[], kept: readonly T[]): T[] =>
  all.filter((each) => !kept.some((other) => isSame(each, other)))

/** Undefined when nothing is: most kinds have one value, which `ensure` replaces. Both facts are of one identity. */
export const leftBy = (before: Fact, after: Fact): Fact | undefined => {
  if (before.kind === 'nft' && after.kind === 'nft') {
    const elements = without(before.elements, after.elements)
    return elements.length === 0 ? undefined : { ...before, elements }
  }
  if (before.kind === 'iptables' && after.kind === 'iptables') {
    const names = new Set(after.chains.map(({ name }) => name))
    const chains = before.chains.filter(({ name }) => !names.has(name))
    const rules = without(before.rules, after.rules)
    return chains.length + rules.length === 0 ? undefined : { ...before, chains, rules }
  }
  return undefined
}
