/** Which iptables chains of a network belong to attachments that are gone, from the comments of their rules: ours (records)
 *  and the reference plugins'. */
import type { AttachmentId } from '../cni/plugin.ts'
import { optionOf, targetOf } from '../netfilter/iptables-rule.ts'
import type { IptablesTable } from '../netfilter/iptables-table.ts'
import { type IptablesFact, iptablesTables } from './iptables.ts'
import type { Place } from './iptables-command.ts'
import { containerIn } from './iptables-names.ts'
import type { Kernel } from './kernel.ts'
import { commentOf, networkPrefix } from './owner.ts'

/** A chain that an attachment has rules in. `ifName` is '' where only the container is known. */
export interface Holding {
  readonly chain: string
  readonly containerID: string
  readonly ifName: string
}

const holdingsIn = (chain: string, rules: readonly string[], network: string): Holding[] => {
  const comments = [...new Set(rules.map((rule) => optionOf(rule, '--comment') ?? ''))]
  const prefix = networkPrefix(network)
  const records = comments.filter((comment) => comment.startsWith(prefix))
  if (records.length > 0)
    return records.map((record) => {
      const [containerID = '', ifName = ''] = record.slice(prefix.length).split('/')
      return { chain, containerID, ifName }
    })
  const containers = comments.map((comment) => containerIn(comment, network)).filter((id) => id !== undefined)
  return [...new Set(containers)].map((containerID) => ({ chain, containerID, ifName: '' }))
}

/** A container's own chains begin so; the shared ones have capitals next. */
const OWN_CHAIN = /^CNI-(?:[A-Z]+-)?[0-9a-f]{16,}$/

/** Who holds the container chains of `network` in `table`: rules of the chain say so, or the jumps that lead to it (where
 *  the reference portmap has its comments). */
export const holdingsOf = (network: string, table: IptablesTable): Holding[] => {
  const all = [...table.values()].flat()
  return [...table]
    .filter(([chain]) => OWN_CHAIN.test(chain))
    .flatMap(([chain, rules]) =>
      holdingsIn(chain, [...rules, ...all.filter((rule) => targetOf(rule) === chain)], network),
    )
}

const isStale = ({ containerID, ifName }: Holding, network: string, valid: readonly AttachmentId[]): boolean =>
  ifName === ''
    ? !valid.some((attachment) => attachment.containerID === containerID)
    : !valid.some(
        (attachment) => commentOf({ network, ...attachment }) === `${networkPrefix(network)}${containerID}/${ifName}`,
      )

/** Facts to remove: the chains in `place` of attachments of `network` that are not in `valid`. Forks only where the table
 *  exists. */
export const staleIptables = (
  place: Place,
  network: string,
  valid: readonly AttachmentId[],
  kernel: Kernel,
): IptablesFact[] =>
  iptablesTables(kernel, place)
    .flatMap((table) => holdingsOf(network, table))
    .filter((holding) => isStale(holding, network, valid))
    .map(({ chain, ...attachment }) => ({
      kind: 'iptables',
      ...place,
      owner: { network, ...attachment },
      chains: [{ name: chain, rules: [] }],
      shared: [],
      rules: [],
    }))
