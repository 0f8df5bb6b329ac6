/** A plan: what the kernel must hold for one attachment (or one node), as plain data. One plan serves ADD (apply), CHECK
 *  (drift), DEL and GC (remove) and `podwire plan` (render). Each kind of fact is a file of this folder that exports its
 *  type and its operations; `kernel/operations.ts` maps kind to operations. */
import type { AddrFact } from './addr.ts'
import type { BlackholeFact } from './blackhole.ts'
import type { BridgeVlanFact } from './bridge-vlan.ts'
import type { FilterFact } from './filter.ts'
import type { FirewalldSourceFact } from './firewalld.ts'
import type { IptablesFact } from './iptables.ts'
import type { Kernel } from './kernel.ts'
import type { LinkFact } from './link.ts'
import type { LinkSettingsFact } from './link-settings.ts'
import type { NeighFact } from './neigh.ts'
import type { NftFact } from './nft.ts'
import type { NftTableFact } from './nft-whole.ts'
import type { OffloadFact } from './offload.ts'
import type { QdiscFact } from './qdisc.ts'
import type { RouteFact } from './route.ts'
import type { SettleFact } from './settle.ts'
import type { SysctlFact } from './sysctl.ts'
import type { WireguardFact } from './wireguard.ts'
import type { WireguardPeerFact } from './wireguard-peer.ts'

/** Which network namespace a fact lives in: the one this process runs in, or the container's (CNI_NETNS). */
export type Ns = 'node' | 'pod'

export type Fact =
  | LinkFact
  | LinkSettingsFact
  | AddrFact
  | RouteFact
  | BlackholeFact
  | NeighFact
  | BridgeVlanFact
  | SysctlFact
  | SettleFact
  | IptablesFact
  | NftFact
  | NftTableFact
  | QdiscFact
  | FilterFact
  | FirewalldSourceFact
  | OffloadFact
  | WireguardFact
  | WireguardPeerFact

export type Plan = readonly Fact[]

/** What can be done with one kind of fact. */
export interface Operations<F> {
  /** The commands that state the fact in the words of `ip`, `bridge`, `tc`, `sysctl`, `nft` or `iptables`: one a line. */
  readonly render: (fact: F) => string
  /** Makes the fact hold. Returns true when this call created what was not there, so that a failed ADD removes it again;
   *  false when it held already or is shared with other attachments and stays. @throws NetlinkError, CniError */
  readonly ensure: (fact: F, kernel: Kernel) => boolean
  /** Takes the fact back. Absent is success; what another owner holds stays. @throws NetlinkError */
  readonly remove: (fact: F, kernel: Kernel) => void
  /** Why the fact does not hold, in one line; undefined when it does. */
  readonly drift: (fact: F, kernel: Kernel) => string | undefined
}
