/** `ipMasq` of bridge and ptp. By nftables, the default: one fixed table, two elements for each address of a pod. What a pod sends leaves
 *  with the node's address, except to its own subnet and to multicast. Upstream: pkg/ip `SetupIPMasqForNetworks`. */
import { addressOf, type Cidr, cidrFamily, networkOf } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import { CniError, ERR_UNAVAILABLE } from '../cni/error.ts'
import type { AttachmentId } from '../cni/plugin.ts'
import { runAll } from '../cni/steps.ts'
import { concatOf, payload } from '../netfilter/expression.ts'
import type { Rule, SetDecl, Table } from '../netfilter/ruleset.ts'
import { hasIptables } from './iptables-command.ts'
import type { Kernel } from './kernel.ts'
import { collectMasqueradeIptables, masqueradeIptables, removeMasqueradeIptables } from './masquerade-iptables.ts'
import { type NftElement, type NftFact, nftOperations } from './nft.ts'
import { removeOwned, sweepNft } from './nft-owned.ts'
import { refusalOf } from './nft-trial.ts'
import { commentOf, type Owner } from './owner.ts'
import type { Fact } from './plan.ts'

/** NF_IP_PRI_NAT_SRC. */
const SRCNAT = 100

const FAMILIES = [
  { ip: 'ip', type: 'ipv4_addr', masqueraded: 'masqueraded-ips', direct: 'direct-ips', multicast: '224.0.0.0/4' },
  { ip: 'ip6', type: 'ipv6_addr', masqueraded: 'masqueraded-ip6s', direct: 'direct-ip6s', multicast: 'ff00::/8' },
] as const
const familyOf = (family: Family) => FAMILIES[family === 4 ? 0 : 1]

const setsOf = ({ type, masqueraded, direct }: (typeof FAMILIES)[number]): SetDecl[] => [
  { name: masqueraded, key: [type], comment: 'addresses of pods' },
  { name: direct, key: [type, type], interval: true, comment: 'address of a pod . what it reaches as itself' },
]

const rulesOf = ({ ip, masqueraded, direct, multicast }: (typeof FAMILIES)[number]): Rule[] => {
  const saddr = payload(`${ip} saddr`)
  const daddr = payload(`${ip} daddr`)
  return [
    { statements: [{ kind: 'lookup', key: concatOf(saddr, daddr), set: direct }, { kind: 'return' }] },
    {
      statements: [
        { kind: 'match', left: daddr, op: '!=', right: multicast },
        { kind: 'lookup', key: saddr, set: masqueraded },
        { kind: 'masquerade' },
      ],
    },
  ]
}

export const MASQUERADE_TABLE: Table = {
  family: 'inet',
  name: 'podwire-masquerade',
  layout: '5ed1e9fbbdbe9f6e',
  sets: FAMILIES.flatMap(setsOf),
  get chains() {
    return [
      {
        name: 'postrouting',
        base: { type: 'nat', hook: 'postrouting', priority: SRCNAT } as const,
        rules: FAMILIES.flatMap(rulesOf),
      },
    ]
  },
}

const elementsOf = (comment: string, address: Cidr): NftElement[] => {
  const { masqueraded, direct } = familyOf(cidrFamily(address))
  const pod = addressOf(address)
  return [
    { set: masqueraded, key: [pod], comment },
    { set: direct, key: [pod, networkOf(address)], comment },
  ]
}

const nftFact = (owner: Owner, addresses: readonly Cidr[]): NftFact => ({
  kind: 'nft',
  ns: 'node',
  table: MASQUERADE_TABLE,
  elements: addresses.flatMap((address) => elementsOf(commentOf(owner), address)),
})

export type MasqueradeBackend = 'nftables' | 'iptables'

/** What must hold for the pod's `addresses` (with the prefix lengths of their subnets) to be masqueraded. */
export const masqueradeFacts = (backend: MasqueradeBackend, owner: Owner, addresses: readonly Cidr[]): Fact[] =>
  backend === 'iptables' ? masqueradeIptables(owner, addresses) : [nftFact(owner, addresses)]

/** Takes the masquerade of `owner` back, whichever backend made it and whoever: by key where its `addresses` are known (from
 *  prevResult), else by owner. Absent is success. @throws CniError all failures */
export const removeMasquerade = (owner: Owner, addresses: readonly Cidr[], kernel: Kernel): void =>
  runAll(
    () =>
      addresses.length > 0
        ? nftOperations.remove(nftFact(owner, addresses), kernel)
        : removeOwned(kernel, 'node', MASQUERADE_TABLE, owner),
    () => removeMasqueradeIptables(owner, kernel),
  )

/** GC: takes the masquerade of every attachment of `network` that is not in `valid` back. @throws CniError all failures */
export const sweepMasquerade = (network: string, valid: readonly AttachmentId[], kernel: Kernel): void =>
  runAll(
    () => sweepNft(kernel, 'node', MASQUERADE_TABLE, network, valid),
    () => collectMasqueradeIptables(network, valid, kernel),
  )

/** STATUS: whether the backend would take what ADD sends. Changes nothing. @throws CniError 50 with what to do */
export const requireMasquerade = (backend: MasqueradeBackend, kernel: Kernel): void => {
  if (backend === 'iptables') {
    if (!hasIptables(4))
      throw unavailable(
        'iptables-restore is not on this node',
        'install iptables, or set "ipMasqBackend" to "nftables"',
      )
    return
  }
  const refusal = refusalOf(kernel, 'node', MASQUERADE_TABLE)
  if (refusal === undefined) return
  throw unavailable(
    `the kernel refuses it by nftables (${refusal.message})`,
    'modprobe nf_tables nft_chain_nat nft_masq; or set "ipMasqBackend" to "iptables"',
  )
}

const unavailable = (why: string, todo: string): CniError =>
  new CniError(ERR_UNAVAILABLE, `"ipMasq" is asked for, and ${why}`, todo)
