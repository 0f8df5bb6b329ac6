/** What another program or an earlier configuration left that masquerades as well, and what keeps forwarded packets from
 *  their way: found and named for a person, never touched. */
import type { Family } from '../addr/ip.ts'
import { type Place, saveTable, variantsWith } from '../kernel/iptables-command.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { hasNftChain, hasNftTable, readPolicy } from '../kernel/nft-lookup.ts'
import { FAMILIES } from './families.ts'
import type { MasqueradeOptions } from './masquerade.ts'

/** NFPROTO numbers, and the words of each family. */
const WORDS = {
  4: { nfproto: 2, nft: 'ip', table: 'flannel-ipv4', command: 'iptables' },
  6: { nfproto: 10, nft: 'ip6', table: 'flannel-ipv6', command: 'ip6tables' },
} as const

/** flannel's chains, and what jumps to each. */
const CHAINS = [
  { table: 'nat', chain: 'FLANNEL-POSTRTG', from: 'POSTROUTING', comment: 'flanneld masq' },
  { table: 'filter', chain: 'FLANNEL-FWD', from: 'FORWARD', comment: 'flanneld forward' },
] as const

/** In either variant of iptables; runs a program only where the legacy one has the table. */
const hasChain = (kernel: Kernel, place: Place, chain: string): boolean =>
  hasNftChain(kernel, place.ns, WORDS[place.family].nfproto, place.table, chain) ||
  (variantsWith(kernel, place).includes('legacy') && saveTable(kernel, place, 'legacy').has(chain))

const chainsLeft = (family: Family, kernel: Kernel): string[] => {
  const { command } = WORDS[family]
  return CHAINS.filter(({ table, chain }) => hasChain(kernel, { ns: 'node', family, table }, chain)).map(
    ({ table, chain, from, comment }) =>
      `${command} has flanneld's chain ${chain} in its table ${table}: when flanneld is gone for good, remove it with ` +
      `${command} -t ${table} -D ${from} -m comment --comment "${comment}" -j ${chain}; ` +
      `${command} -t ${table} -F ${chain}; ${command} -t ${table} -X ${chain}`,
  )
}

const tableLeft = (family: Family, kernel: Kernel): string[] => {
  const { nfproto, nft, table } = WORDS[family]
  if (!hasNftTable(kernel, 'node', nfproto, table)) return []
  return [
    `nftables has flanneld's table ${nft} ${table}: when flanneld is gone for good, remove it with nft delete table ${nft} ${table}`,
  ]
}

/** What of flanneld's beside our own rules would act on the same packets: a line each, with what to do. Of its iptables
 *  chains none when `backend` is iptables: they are ours then. @throws CniError when iptables cannot be read */
export const masqueradeLeftovers = ({ backend }: Pick<MasqueradeOptions, 'backend'>, kernel: Kernel): string[] =>
  FAMILIES.flatMap((family) => [
    ...(backend === 'iptables' ? [] : chainsLeft(family, kernel)),
    ...tableLeft(family, kernel),
  ])

const POLICY_DROP = 0

/** Why forwarded packets are dropped in spite of our rules: an accept in one table does not undo a drop in another. A line
 *  each, with what to do. */
export const forwardObstacles = (
  { backend, forwardRules }: Pick<MasqueradeOptions, 'backend' | 'forwardRules'>,
  kernel: Kernel,
): string[] => {
  if (backend === 'iptables' || !forwardRules) return []
  return FAMILIES.filter(
    (family) => readPolicy(kernel, 'node', WORDS[family].nfproto, 'filter', 'FORWARD') === POLICY_DROP,
  ).map((family) => {
    const { command } = WORDS[family]
    return (
      `the policy of ${command}'s chain FORWARD is DROP, which no rule of another table undoes: ` +
      `set --masquerade-backend iptables, or run ${command} -P FORWARD ACCEPT`
    )
  })
}
