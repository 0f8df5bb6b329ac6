/** Rules of others that drop or reject what the node forwards. An accept in our base chain ends only our chain: whatever is
 *  hooked later, or earlier, can still drop the packet. nft(8), "CHAINS". */
import { hasIptables, variantsWith } from '../../kernel/iptables-command.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { hasNftTable, readPolicy } from '../../kernel/nft-lookup.ts'
import { compileRule } from '../../netfilter/compile.ts'
import { drop } from '../../netfilter/statement.ts'
import { readText } from '../../netlink/message.ts'
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from '../../netlink/nfnetlink.ts'
import type { TableId } from '../../netlink/nftables.ts'
import { type ChainDump, dumpChains, dumpRules, dumpTables, type RuleDump } from '../../netlink/nftables-dump.ts'
import { fingerprintOf, type Instruction } from '../../netlink/nftables-instruction.ts'
import type { NetlinkSocket } from '../../netlink/socket.ts'
import { ADMIN_CHAIN, type FirewallConf } from './conf.ts'
import { FAMILIES } from './pod.ts'
import { FIREWALL_TABLE } from './table.ts'

const NF_DROP = 0
const NF_INET_FORWARD = 2
const FAMILY_NUMBER = { 4: NFPROTO_IPV4, 6: NFPROTO_IPV6 } as const
const FAMILY_NAME: Readonly<Record<number, string>> = {
  [NFPROTO_INET]: 'inet',
  [NFPROTO_IPV4]: 'ip',
  [NFPROTO_IPV6]: 'ip6',
}

const fingerprintOfDrop = (): string =>
  compileRule({ statements: [drop] }, FIREWALL_TABLE)
    .map(fingerprintOf)
    .join()
/** NFTA_TARGET_NAME, NFTA_MATCH_NAME: extensions of xtables that iptables-nft uses as they are. */
const XT_NAME = 1
const xtName = ({ attrs }: Instruction): string => {
  const value = attrs.find(([type]) => type === XT_NAME)?.[1]
  return value instanceof Uint8Array ? readText(value) : ''
}

const isEnd = (instruction: Instruction): boolean =>
  instruction.name === 'reject' ||
  fingerprintOf(instruction) === fingerprintOfDrop() ||
  (instruction.name === 'target' && xtName(instruction) === 'REJECT')
const isSilent = (instruction: Instruction): boolean =>
  instruction.name === 'counter' ||
  instruction.name === 'log' ||
  (instruction.name === 'match' && xtName(instruction) === 'comment')

/** A rule that drops or rejects whatever comes to it. */
const isFinal = ({ instructions }: RuleDump): boolean =>
  instructions.some(isEnd) && instructions.every((instruction) => isEnd(instruction) || isSilent(instruction))

const blocks = (socket: NetlinkSocket, table: TableId, chain: string): boolean =>
  dumpRules(socket, table, chain).some(isFinal)

const isForwardChain = ({ hook }: ChainDump): boolean => hook?.type === 'filter' && hook.hook === NF_INET_FORWARD

const obstacleIn = (socket: NetlinkSocket, table: TableId): string[] =>
  dumpChains(socket, table)
    .filter(isForwardChain)
    .flatMap(({ name, hook }) => {
      const where = `nft chain ${FAMILY_NAME[table.family]} ${table.name} ${name}`
      if (hook?.policy === NF_DROP) return [`${where} has policy drop`]
      return blocks(socket, table, name) ? [`${where} ends in a drop or reject`] : []
    })

/** Chains of other tables that drop or reject what nobody accepted there, one line each. @throws NetlinkError */
export const forwardObstacles = (kernel: Kernel): string[] => {
  const socket = kernel.netfilter('node')
  return [NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6]
    .flatMap((family) => dumpTables(socket, family))
    .filter(({ family, name }) => !(family === NFPROTO_INET && name === FIREWALL_TABLE.name))
    .flatMap((table) => obstacleIn(socket, table))
}

/** Whether the rules that iptables-nft has for a family need an answer in iptables: FORWARD drops, or the administrator
 *  has rules in CNI-ADMIN. Asks for two chains, lists none. */
const needsIptables = (kernel: Kernel, family: 4 | 6): boolean => {
  const table = { family: FAMILY_NUMBER[family], name: 'filter' }
  if (!hasNftTable(kernel, 'node', table.family, table.name)) return false
  const socket = kernel.netfilter('node')
  const policy = readPolicy(kernel, 'node', table.family, table.name, 'FORWARD')
  const drops = policy !== undefined && (policy === NF_DROP || blocks(socket, table, 'FORWARD'))
  return drops || dumpRules(socket, table, ADMIN_CHAIN).length > 0
}

/** Whether the configuration or the node's rules ask for iptables. Rules of iptables-legacy cannot be read without running
 *  it: a filter table there asks. */
export const asksForIptables = (conf: FirewallConf, kernel: Kernel): boolean => {
  if (conf.namesAdminChain) return true
  const place = (family: 4 | 6) => ({ ns: 'node', family, table: 'filter' }) as const
  return (
    hasIptables(4) &&
    FAMILIES.some((family) => variantsWith(kernel, place(family)).includes('legacy') || needsIptables(kernel, family))
  )
}
