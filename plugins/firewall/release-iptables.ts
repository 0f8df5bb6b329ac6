/** Taking attachments out of the `filter` table, with no address known or with those of prevResult. */
import type { Cidr } from '../../addr/cidr.ts'
import { rewriteIptables } from '../../kernel/iptables.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { optionOf, ruleKey, targetOf } from '../../netfilter/iptables-rule.ts'
import type { IptablesTable } from '../../netfilter/iptables-table.ts'
import { acceptRules, FORWARD_CHAIN, isPolicyComment, isRecordChain, STAGE_1, STAGE_2 } from './plan-iptables.ts'
import { FAMILIES, ofFamily } from './pod.ts'

/** What one attachment has here. */
interface Record {
  readonly chain: string
  readonly owner: string
  /** As iptables prints them, with their length. */
  readonly sources: readonly string[]
  readonly bridge: string | undefined
  readonly isIsolated: boolean
}

const present = (values: readonly (string | undefined)[]): string[] => values.filter((value) => value !== undefined)

const recordOf = (chain: string, rules: readonly string[]): Record => ({
  chain,
  owner: present(rules.map((rule) => optionOf(rule, '--comment')))[0] ?? '',
  sources: present(rules.map((rule) => optionOf(rule, '-s'))),
  bridge: present(rules.map((rule) => optionOf(rule, '-i')))[0],
  isIsolated: rules.some((rule) => optionOf(rule, '-o') !== undefined),
})

const recordsIn = (table: IptablesTable): Record[] =>
  [...table].filter(([name]) => isRecordChain(name)).map(([name, rules]) => recordOf(name, rules))

/** The addresses that nobody who stays has recorded: an address may be another pod's by now. */
const released = (gone: readonly Record[], kept: readonly Record[], known: readonly Cidr[]): string[] => {
  const claimed = new Set(kept.flatMap(({ sources }) => sources))
  return [...new Set([...gone.flatMap(({ sources }) => sources), ...known])].filter((source) => !claimed.has(source))
}

const acceptLines = (table: IptablesTable, sources: readonly string[]): string[] => {
  const keys = new Set(sources.flatMap((source) => acceptRules(source as Cidr)).map((rule) => ruleKey(rule)))
  return (table.get(FORWARD_CHAIN) ?? [])
    .filter((rule) => keys.has(ruleKey(rule)))
    .map((rule) => `-D ${FORWARD_CHAIN} ${rule}`)
}

/** Whether the reference plugin attached somebody who is still there: it leaves no record, so nobody knows which bridge. */
const hasUnrecorded = (table: IptablesTable, recorded: ReadonlySet<string>): boolean =>
  (table.get(FORWARD_CHAIN) ?? [])
    .map((rule) => optionOf(rule, '-s'))
    .some((source) => source !== undefined && !recorded.has(source))

const policyLines = (table: IptablesTable, chain: string, test: (rule: string) => boolean): string[] =>
  (table.get(chain) ?? [])
    .filter((rule) => isPolicyComment(optionOf(rule, '--comment') ?? '') && test(rule))
    .map((rule) => `-D ${chain} ${rule}`)

/** The rules of `bridge` that none of `kept` needs: all of them, or that against traffic within the bridge. */
const isolationLines = (table: IptablesTable, bridge: string, kept: readonly Record[]): string[] => {
  const users = kept.filter((record) => record.bridge === bridge)
  if (users.some(({ isIsolated }) => isIsolated)) return []
  const isInside = (rule: string) => optionOf(rule, '-i') === bridge && targetOf(rule) === 'DROP'
  if (users.length > 0) return policyLines(table, STAGE_1, isInside)
  return [
    ...policyLines(table, STAGE_1, (rule) => optionOf(rule, '-i') === bridge),
    ...policyLines(table, STAGE_2, (rule) => optionOf(rule, '-o') === bridge),
  ]
}

/** What stays when the last attachment has gone, unless it is the administrator's or somebody else's: commands that take
 *  the chains out of a table whose rules are otherwise as after `lines`. */
const chainLines = (table: IptablesTable, lines: readonly string[]): string[] => {
  const left = (chain: string): string[] =>
    (table.get(chain) ?? []).filter((rule) => !lines.includes(`-D ${chain} ${rule}`))
  const admin = targetOf(left(FORWARD_CHAIN)[0] ?? '') ?? ''
  const chains = [FORWARD_CHAIN, STAGE_1, STAGE_2, admin].filter((chain) => table.has(chain))
  const isPlain = (chain: string) => left(chain).every((rule) => ['RETURN', admin].includes(targetOf(rule) ?? ''))
  if (!chains.every(isPlain) || (table.get(admin) ?? []).length > 0) return []
  const jumps = [...table].flatMap(([chain, rules]) =>
    rules.filter((rule) => chains.includes(targetOf(rule) ?? '')).map((rule) => `-D ${chain} ${rule}`),
  )
  return [
    ...jumps.filter((line) => !lines.includes(line)),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
  ]
}

export interface Release {
  /** Of the owner in a record. */
  readonly isGone: (owner: string) => boolean
  /** Addresses of prevResult. */
  readonly known: readonly Cidr[]
  /** With the last attachment, what all share goes too. */
  readonly andChains: boolean
}

/** Restore commands that take out every attachment whose record `isGone`, the addresses `known`, and the isolation of
 *  bridges that lose their last attachment. Pure. */
export const releaseLines = (table: IptablesTable, { isGone, known, andChains }: Release): string[] => {
  const records = recordsIn(table)
  const gone = records.filter(({ owner }) => isGone(owner))
  const kept = records.filter(({ owner }) => !isGone(owner))
  const sources = released(gone, kept, known)
  const recorded = new Set([...kept.flatMap((record) => record.sources), ...sources])
  const left = hasUnrecorded(table, recorded) ? [] : present(gone.map(({ bridge }) => bridge))
  const isolation = [...new Set(left)].flatMap((bridge) => isolationLines(table, bridge, kept))
  const rules = [...acceptLines(table, sources), ...isolation]
  return [
    ...rules,
    ...gone.map(({ chain }) => `-F ${chain}`),
    ...gone.map(({ chain }) => `-X ${chain}`),
    ...(andChains && kept.length === 0 ? chainLines(table, rules) : []),
  ]
}

/** As `releaseLines`, in both families. Forks nothing on a node without CNI-FORWARD. @throws CniError 102, 11 */
export const releaseIptables = (kernel: Kernel, release: Release): void => {
  for (const family of FAMILIES)
    rewriteIptables(kernel, { ns: 'node', family, table: 'filter' }, [FORWARD_CHAIN], (table) =>
      releaseLines(table, { ...release, known: ofFamily(release.known, family) }),
    )
}
