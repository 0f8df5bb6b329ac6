/** Published ports as elements of the nftables layout. */
import { addressOf, type Cidr, cidrFamily } from '../../addr/cidr.ts'
import type { Family, Ip } from '../../addr/ip.ts'
import type { NftElement, NftFact } from '../../kernel/nft.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import type { Mapping, PortmapConf } from './conf.ts'
import { hostportTable, SETS } from './hostport-table.ts'

/** Mappings that apply to an address family. */
export const mappingsOf = (mappings: readonly Mapping[], family: Family): readonly Mapping[] =>
  mappings.filter((mapping) => mapping.family === undefined || mapping.family === family)

/** `8080/tcp`, `192.0.2.1:8080/tcp`, `[2001:db8::1]:8080/tcp`. */
export const hostPortText = ({ protocol, hostPort, hostIP }: Mapping): string => {
  const host = hostIP === undefined ? '' : hostIP.includes(':') ? `[${hostIP}]:` : `${hostIP}:`
  return `${host}${hostPort}/${protocol}`
}

const portElement = (family: Family, pod: Ip, mapping: Mapping, comment: string): NftElement => {
  const { protocol, hostPort, hostIP, containerPort } = mapping
  return {
    set: hostIP === undefined ? SETS[family].ports : SETS[family].addressed,
    key: [...(hostIP === undefined ? [] : [hostIP]), protocol, hostPort],
    data: [pod, containerPort],
    comment,
    label: `host port ${hostPortText(mapping)}`,
    yields: true,
  }
}

const EVERYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const

/** From where a pod's answers would not come back through the node: its subnet, with or without host bits. */
const sourcesOf = (family: Family, pod: Cidr, { snat, masqAll }: PortmapConf): readonly string[] => {
  if (!snat) return []
  if (masqAll) return [EVERYWHERE[family]]
  return family === 4 ? [pod, '127.0.0.0/8'] : [pod]
}

/** One for each protocol and host port, however many addresses of the node it is published on. */
const masqueradeElements = (
  family: Family,
  pod: Cidr,
  mappings: readonly Mapping[],
  conf: PortmapConf,
  comment: string,
): NftElement[] => {
  const ports = new Map(mappings.map(({ protocol, hostPort }) => [`${hostPort}/${protocol}`, { protocol, hostPort }]))
  return Array.from(ports.values()).flatMap(({ protocol, hostPort }) =>
    sourcesOf(family, pod, conf).map((source) => ({
      set: SETS[family].masquerade,
      key: [addressOf(pod), protocol, hostPort, source],
      comment,
    })),
  )
}

const elementsOf = (conf: PortmapConf, owner: Owner, pod: Cidr): NftElement[] => {
  const family = cidrFamily(pod)
  const mappings = mappingsOf(conf.mappings, family)
  const comment = commentOf(owner)
  return [
    ...mappings.map((mapping) => portElement(family, addressOf(pod), mapping, comment)),
    ...masqueradeElements(family, pod, mappings, conf, comment),
  ]
}

/** What must hold for the mappings to lead to the pod at `addresses`; `table` is the network's unless another is named. */
export const nftFact = (
  conf: PortmapConf,
  owner: Owner,
  addresses: readonly Cidr[],
  table: Table = hostportTable(owner.network, conf.conditions),
): NftFact => ({
  kind: 'nft',
  ns: 'node',
  table,
  elements: addresses.flatMap((pod) => elementsOf(conf, owner, pod)),
})
