/** The operations of every kind of fact. A kind without an entry does not compile. */
import { addrOperations } from './addr.ts'
import { blackholeOperations } from './blackhole.ts'
import { bridgeVlanOperations } from './bridge-vlan.ts'
import { filterOperations } from './filter.ts'
import { firewalldOperations } from './firewalld.ts'
import { iptablesOperations } from './iptables.ts'
import { linkOperations } from './link.ts'
import { linkSettingsOperations } from './link-settings.ts'
import { neighOperations } from './neigh.ts'
import { nftOperations } from './nft.ts'
import { nftTableOperations } from './nft-whole.ts'
import { offloadOperations } from './offload.ts'
import type { Fact, Operations } from './plan.ts'
import { qdiscOperations } from './qdisc.ts'
import { routeOperations } from './route.ts'
import { settleOperations } from './settle.ts'
import { sysctlOperations } from './sysctl.ts'
import { wireguardOperations } from './wireguard.ts'
import { wireguardPeerOperations } from './wireguard-peer.ts'

type Table = { readonly [K in Fact['kind']]: Operations<Extract<Fact, { kind: K }>> }

const OPERATIONS: Table = {
  link: linkOperations,
  'link-settings': linkSettingsOperations,
  addr: addrOperations,
  route: routeOperations,
  blackhole: blackholeOperations,
  neigh: neighOperations,
  'bridge-vlan': bridgeVlanOperations,
  sysctl: sysctlOperations,
  settle: settleOperations,
  qdisc: qdiscOperations,
  filter: filterOperations,
  iptables: iptablesOperations,
  'firewalld-source': firewalldOperations,
  offload: offloadOperations,
  nft: nftOperations,
  'nft-table': nftTableOperations,
  wireguard: wireguardOperations,
  'wireguard-peer': wireguardPeerOperations,
}

export const operationsOf = <F extends Fact>(fact: F): Operations<F> =>
  OPERATIONS[fact.kind] as unknown as Operations<F>
