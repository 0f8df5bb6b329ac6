/** Why a lease cannot be right, whatever the other leases are: what it claims is not this network's, is this node's own, or
 *  is no address that a node can have. */
import { addressOf, type Cidr, cidrFamily, contains, firstOf, lastOf, lengthOf, overlaps } from '../addr/cidr.ts'
import { quote } from '../addr/error.ts'
import { type Family, familyOf, type Ip } from '../addr/ip.ts'
import { type Mac, macBytes } from '../addr/mac.ts'
import { dataOf, enabledFamilies, familyConf, publicIPOf, subnetOf } from './families.ts'
import type { Lease } from './lease.ts'
import type { OverlayNode } from './planner.ts'
import { meetsPods } from './pod-range.ts'
import { isUnicast } from './usable.ts'
import { endpointFamily } from './wireguard-endpoint.ts'

export interface AdmissionRules {
  readonly node: OverlayNode
  /** In Kubernetes a node's subnet is what its podCIDR says, of whichever length. */
  readonly anyLength: boolean
}

type Reason = string | undefined
const firstReason = (...reasons: readonly (() => Reason)[]): Reason => {
  for (const reason of reasons) {
    const found = reason()
    if (found !== undefined) return found
  }
  return undefined
}

const subnetReason = ({ node, anyLength }: AdmissionRules, subnet: Cidr): Reason => {
  const family = cidrFamily(subnet)
  const conf = familyConf(node.conf, family)
  if (conf === undefined) return undefined
  if (lengthOf(subnet) < lengthOf(conf.network) || !contains(conf.network, addressOf(subnet)))
    return `its subnet ${subnet} is not inside the network ${conf.network}`
  if (!anyLength && lengthOf(subnet) !== conf.subnetLen)
    return `its subnet ${subnet} is not a /${conf.subnetLen}, as SubnetLen says`
  const own = subnetOf(node.own, family)
  return own !== undefined && overlaps(own, subnet)
    ? `its subnet ${subnet} overlaps ${own}, this node's own`
    : undefined
}

/** The ends of an IPv4 subnet belong to no node (RFC 1122 §3.2.1.3), but of two addresses (RFC 3021) or one. */
const isEndOf = (prefix: Cidr, address: Ip): boolean =>
  familyOf(address) === 4 &&
  cidrFamily(prefix) === 4 &&
  lengthOf(prefix) < 31 &&
  (address === firstOf(prefix) || address === lastOf(prefix))

const addressReason = ({ node }: AdmissionRules, address: Ip): Reason => {
  const own: readonly (Ip | undefined)[] = [node.publicIP, node.publicIPv6, ...node.underlay.addresses.map(addressOf)]
  if (own.includes(address)) return `its public address ${address} is this node's own`
  if (!isUnicast(address) || node.underlay.addresses.some((prefix) => isEndOf(prefix, address)))
    return `its public address ${address} is none that a node can have`
  return meetsPods(node.conf, `${address}/${familyOf(address) === 4 ? 32 : 128}` as Cidr)
    ? `its public address ${address} is a pod's`
    : undefined
}

const MULTICAST_BIT = 1
const macReason = (mac: Mac | undefined, own: Mac | undefined): Reason => {
  if (mac === undefined) return 'it names no VtepMAC'
  const bytes = macBytes(mac)
  if (((bytes[0] ?? 0) & MULTICAST_BIT) !== 0) return `its VtepMAC ${mac} is a group's`
  if (bytes.every((byte) => byte === 0)) return `its VtepMAC ${mac} is none`
  return mac === own ? `its VtepMAC ${mac} is this node's own` : undefined
}

const vxlanReason = ({ node }: AdmissionRules, lease: Lease, family: Family): Reason => {
  const { vni, vtepMac } = dataOf(lease, family)
  const { backend } = node.conf
  if (backend.kind === 'vxlan' && vni !== undefined && vni !== backend.vni)
    return `its VNI is ${vni}, that of this network ${backend.vni}`
  return macReason(vtepMac, dataOf(node.own, family).vtepMac)
}

const keyReason = ({ node }: AdmissionRules, lease: Lease, family: Family): Reason => {
  const { publicKey } = dataOf(lease, family)
  if (publicKey === undefined) return 'it names no PublicKey'
  return publicKey === dataOf(node.own, family).publicKey ? `its PublicKey ${publicKey} is this node's own` : undefined
}

/** Whether it can be reached at all: by an address of the family that its packets travel in. */
const endpointReason = ({ node }: AdmissionRules, lease: Lease, family: Family): Reason => {
  const { backend } = node.conf
  if (backend.kind === 'wireguard' && backend.mode !== 'separate')
    return endpointFamily(backend.mode, node, lease) === undefined
      ? `it has no public address that Mode ${quote(backend.mode)} can use`
      : undefined
  return publicIPOf(lease, family) === undefined
    ? `it has no ${family === 4 ? 'PublicIP' : 'PublicIPv6'}, and its subnet is ${subnetOf(lease, family)}`
    : undefined
}

const familyReason = (rules: AdmissionRules, lease: Lease, family: Family): Reason => {
  const [subnet, address] = [subnetOf(lease, family), publicIPOf(lease, family)]
  if (subnet === undefined) return undefined
  return firstReason(
    () => subnetReason(rules, subnet),
    () => endpointReason(rules, lease, family),
    () => (address === undefined ? undefined : addressReason(rules, address)),
    () => (lease.backendType === 'vxlan' ? vxlanReason(rules, lease, family) : undefined),
    () => (lease.backendType === 'wireguard' ? keyReason(rules, lease, family) : undefined),
  )
}

/** Why `lease` is not believed; undefined when nothing speaks against it. Families that are not enabled here do not count. */
export const objectionTo = (rules: AdmissionRules, lease: Lease): string | undefined => {
  const { conf } = rules.node
  if (lease.backendType !== conf.backend.kind)
    return `its backend is ${quote(lease.backendType)}, that of this network ${quote(conf.backend.kind)}`
  const families = enabledFamilies(conf)
  if (families.every((family) => subnetOf(lease, family) === undefined))
    return `it has no subnet of ${families.map((family) => `IPv${family}`).join(' or ')}`
  return firstReason(...families.map((family) => () => familyReason(rules, lease, family)))
}
