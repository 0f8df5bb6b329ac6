/** `macspoofchk`: frames that a pod sends with another source address than its own are dropped where they enter the bridge.
 *  One fixed table; a port and its address are one element each. Upstream: pkg/link `SpoofChecker`. */
import type { AttachmentId } from '../../cni/plugin.ts'
import type { Ends } from '../../kernel/ends.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NftFact } from '../../kernel/nft.ts'
import { removeOwned, sweepNft } from '../../kernel/nft-owned.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import { concatOf, meta, payload } from '../../netfilter/expression.ts'
import type { Rule, Table } from '../../netfilter/ruleset.ts'

/** NF_BR_PRI_NAT_DST_BRIDGED, as upstream. */
const DSTNAT_BRIDGED = -300

const rulesOf = (): Rule[] => [
  {
    statements: [
      { kind: 'lookup', key: concatOf(meta('iifname'), payload('ether saddr')), set: 'port-macs' },
      { kind: 'return' },
    ],
  },
  { statements: [{ kind: 'lookup', key: meta('iifname'), set: 'checked-ports' }, { kind: 'drop' }] },
]

export const MACSPOOF_TABLE: Table = {
  family: 'bridge',
  name: 'podwire-macspoof',
  layout: 'f4d0d03ce9e07ea1',
  sets: [
    { name: 'checked-ports', key: ['ifname'], comment: 'ports that may use one address only' },
    { name: 'port-macs', key: ['ifname', 'ether_addr'], comment: 'port . the address it may use' },
  ],
  get chains() {
    return [
      {
        name: 'prerouting',
        base: { type: 'filter', hook: 'prerouting', priority: DSTNAT_BRIDGED } as const,
        rules: rulesOf(),
      },
    ]
  },
}

/** The port's two elements; none for ends whose addresses are not known. */
export const macspoofFact = (owner: Owner, { host, pod }: Ends): NftFact => {
  const comment = commentOf(owner)
  return {
    kind: 'nft',
    ns: 'node',
    table: MACSPOOF_TABLE,
    elements: [
      { set: 'checked-ports', key: [host.name], comment },
      ...(pod.mac === undefined ? [] : [{ set: 'port-macs', key: [host.name, pod.mac], comment }]),
    ],
  }
}

/** Takes the elements of `owner` back; absent is success. */
export const removeMacspoof = (owner: Owner, kernel: Kernel): void => {
  removeOwned(kernel, 'node', MACSPOOF_TABLE, owner)
}

/** GC: takes back what attachments of `network` that are not in `valid` left. */
export const sweepMacspoof = (network: string, valid: readonly AttachmentId[], kernel: Kernel): void => {
  sweepNft(kernel, 'node', MACSPOOF_TABLE, network, valid)
}
