/** Why a lease cannot be right, whatever the other leases are: what it claims is not this network's, is this node's own, or
 *  is no address that a node can have. */
import { addressOf, type Cidr, cidrFamily, lengthOf } from '../addr/cidr.ts'
import { quote } from '../addr/error.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import { dataOf, enabledFamilies, familyConf, publicIPOf, subnetOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { OverlayNode } from './planner.ts'
import { podRanges } from './pod-range.ts'
import { addressRange, covers, meets, type Range, rangeOf } from './range.ts'
import { isUnicast } from './usable.ts'
import { endpointFamily } from './wireguard-endpoint.ts'

export interface AdmissionRules {
  readonly node: OverlayNode
  /** In Kubernetes a node's subnet is what its podCIDR says, of whichever length. */
  readonly anyLength: boolean
}

/** What of the rules is the same for every lease, reckoned once. */
interface Known extends AdmissionRules {
  readonly networks: Readonly<Partial<Record<Family, Range>>>
  readonly ownSubnets: Readonly<Partial<Record<Family, Range>>>
  readonly ownAddresses: ReadonlySet<string>
  /** Ends of the underlay's IPv4 subnets. */
  readonly ends: ReadonlySet<bigint>
  readonly pods: readonly Range[]
}

type Reason = string | undefined

const subnetReason = ({ node, anyLength, networks, ownSubnets }: Known, subnet: Cidr, family: Family): Reason => {
  const [conf, network, own] = [familyConf(node.conf, family), networks[family], ownSubnets[family]]
  const range = rangeOf(subnet)
  if (conf === undefined || network === undefined || !covers(network, range))
    return `its subnet ${subnet} is not inside the network ${conf?.network}`
  if (!anyLength && lengthOf(subnet) !== conf.subnetLen)
    return `its subnet ${subnet} is not a /${conf.subnetLen}, as SubnetLen says`
  if (own === undefined || !meets(own, range)) return undefined
  return `its subnet ${subnet} overlaps ${subnetOf(node.own, family)}, this node's own`
}

const addressReason = ({ ownAddresses, ends, pods }: Known, address: Ip): Reason => {
  if (ownAddresses.has(address)) return `its public address ${address} is this node's own`
  const range = addressRange(address)
  if (!isUnicast(range) || (range.family === 4 && ends.has(range.first)))
    return `its public address ${address} is none that a node can have`
  return pods.some((each) => meets(each, range)) ? `its public address ${address} is a pod's` : undefined
}

const NO_MAC = '00:00:00:00:00:00'
/** IEEE 802: the first bit on the wire, the last of the first octet, is set. */
const isGroup = (mac: Mac): boolean => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1

const macReason = (mac: Mac | undefined, own: Mac | undefined): Reason => {
  if (mac === undefined) return 'it names no VtepMAC'
  if (isGroup(mac)) return `its VtepMAC ${mac} is a group's`
  if (mac === NO_MAC) return `its VtepMAC ${mac} is none`
  return mac === own ? `its VtepMAC ${mac} is this node's own` : undefined
}

const vxlanReason = ({ node }: Known, lease: Lease, family: Family): Reason => {
  const { vni, vtepMac } = dataOf(lease, family)
  const { backend } = node.conf
  if (backend.kind === 'vxlan' && vni !== undefined && vni !== backend.vni)
    return `its VNI is ${vni}, that of this network ${backend.vni}`
  return macReason(vtepMac, dataOf(node.own, family).vtepMac)
}

const keyReason = ({ node }: Known, lease: Lease, family: Family): Reason => {
  const { publicKey } = dataOf(lease, family)
  if (publicKey === undefined) return 'it names no PublicKey'
  return publicKey === dataOf(node.own, family).publicKey ? `its PublicKey ${publicKey} is this node's own` : undefined
}

const dataReason = (known: Known, lease: Lease, family: Family): Reason => {
  if (lease.backendType === 'vxlan') return vxlanReason(known, lease, family)
  return lease.backendType === 'wireguard' ? keyReason(known, lease, family) : undefined
}

/** Whether it can be reached at all: by an address of the family that its packets travel in. */
const endpointReason = ({ node }: Known, lease: Lease, family: Family): Reason => {
  const { backend } = node.conf
  if (backend.kind === 'wireguard' && backend.mode !== 'separate')
    return endpointFamily(backend.mode, node, lease) === undefined
      ? `it has no public address that Mode ${quote(backend.mode)} can use`
      : undefined
  return publicIPOf(lease, family) === undefined
    ? `it has no ${family === 4 ? 'PublicIP' : 'PublicIPv6'}, and its subnet is ${subnetOf(lease, family)}`
    : undefined
}

const familyReason = (known: Known, lease: Lease, family: Family): Reason => {
  const [subnet, address] = [subnetOf(lease, family), publicIPOf(lease, family)]
  if (subnet === undefined) return undefined
  return (
    subnetReason(known, subnet, family) ??
    endpointReason(known, lease, family) ??
    (address === undefined ? undefined : addressReason(known, address)) ??
    dataReason(known, lease, family)
  )
}

const reasonOf = (known: Known, families: readonly Family[], lease: Lease): Reason => {
  const { kind } = known.node.conf.backend
  if (lease.backendType !== kind)
    return `its backend is ${quote(lease.backendType)}, that of this network ${quote(kind)}`
  if (families.every((family) => subnetOf(lease, family) === undefined))
    return `it has no subnet of ${families.map((family) => `IPv${family}`).join(' or ')}`
  for (const family of families) {
    const reason = familyReason(known, lease, family)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** The ends of an IPv4 subnet belong to no node (RFC 1122 §3.2.1.3), but of two addresses (RFC 3021) or one. */
const endsOf = (prefix: Cidr): bigint[] => {
  if (cidrFamily(prefix) === 6 || lengthOf(prefix) >= 31) return []
  const { first, last } = rangeOf(prefix)
  return [first, last]
}

const byFamily = (families: readonly Family[], prefixOf: (family: Family) => Cidr | undefined): Known['networks'] =>
  Object.fromEntries(
    families.flatMap((family) => {
      const prefix = prefixOf(family)
      return prefix === undefined ? [] : [[family, rangeOf(prefix)]]
    }),
  )

/** What says why a lease is not believed; undefined when nothing speaks against it. Families that are not enabled here do
 *  not count. */
export const makeObjection = (rules: AdmissionRules): ((lease: Lease) => string | undefined) => {
  const { conf, own, underlay, publicIP, publicIPv6 } = rules.node
  const families = enabledFamilies(conf)
  const addresses = [publicIP, publicIPv6, ...underlay.addresses.map(addressOf)]
  const known: Known = {
    ...rules,
    networks: byFamily(families, (family) => familyConf(conf, family)?.network),
    ownSubnets: byFamily(families, (family) => subnetOf(own, family)),
    ownAddresses: new Set(addresses.filter((address) => address !== undefined)),
    ends: new Set(underlay.addresses.flatMap(endsOf)),
    pods: podRanges(conf),
  }
  return (lease) => reasonOf(known, families, lease)
}
