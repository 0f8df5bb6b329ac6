/** What a Node is to the overlay: podCIDRs, and what its agent has published as annotations. flannel pkg/subnet/kube/kube.go
 *  `nodeToLease`. */
import { type Cidr, cidrFamily, networkOf, readCidr } from '../../../addr/cidr.ts'
import { DecodeError, quote } from '../../../addr/error.ts'
import { type Family, familyOf, type Ip, ipNumber, readIp } from '../../../addr/ip.ts'
import type { BackendData, Lease } from '../../../overlay/lease.ts'
import { decodeBackendData } from '../../../overlay/lease-value.ts'
import { parseJsonText } from '../../../overlay/members.ts'
import type { AnnotationNames } from './annotations.ts'

/** The part of a Node (core/v1) that is looked at. */
export interface NodeObject {
  readonly metadata: {
    readonly name: string
    readonly resourceVersion?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly podCIDR?: string; readonly podCIDRs?: readonly string[] }
}

/** @throws DecodeError for what the API server would not send */
export const requireNode = (value: unknown): NodeObject => {
  const name = (value as NodeObject | null | undefined)?.metadata?.name
  if (typeof name !== 'string' || name === '') throw new DecodeError('metadata.name', `${quote(value)} is no Node`)
  return value as NodeObject
}

/** All of its podCIDRs; a server of before dual stack knows `podCIDR` alone. */
const podCidrTexts = ({ spec }: NodeObject): readonly string[] => {
  if (spec?.podCIDRs !== undefined && spec.podCIDRs.length > 0) return spec.podCIDRs
  return spec?.podCIDR === undefined || spec.podCIDR === '' ? [] : [spec.podCIDR]
}

/** The first podCIDR of each family. @throws DecodeError */
export const podCidrsOf = (node: NodeObject): { readonly [F in Family]?: Cidr } => {
  const cidrs: { [F in Family]?: Cidr } = {}
  for (const text of podCidrTexts(node)) {
    const cidr = readCidr(text)
    if (cidr === undefined) throw new DecodeError('spec.podCIDRs', `${quote(text)} is no prefix`)
    cidrs[cidrFamily(cidr)] ??= networkOf(cidr)
  }
  return cidrs
}

/** The address that annotation `name` is; undefined when it is left out, empty or zero, which all mean none.
 *  @throws DecodeError */
export const addressIn = (node: NodeObject, name: string, family: Family): Ip | undefined => {
  const text = node.metadata.annotations?.[name] ?? ''
  if (text === '') return undefined
  const address = readIp(text)
  if (address === undefined || familyOf(address) !== family)
    throw new DecodeError(name, `${quote(text)} is not an IPv${family} address`)
  return ipNumber(address) === 0n ? undefined : address
}

const dataIn = (node: NodeObject, name: string, backendType: string): BackendData => {
  const text = node.metadata.annotations?.[name] ?? ''
  return text === '' ? {} : decodeBackendData(backendType, parseJsonText(text, name), name)
}

/** True when the node's agent has published a lease, and the node has a subnet. */
const hasLease = (node: NodeObject, names: AnnotationNames): boolean =>
  node.metadata.annotations?.[names.managed] === 'true' && podCidrTexts(node).length > 0

const READ = ['managed', 'backendType', 'backendData', 'backendV6Data', 'publicIP', 'publicIPv6'] as const

/** Everything that the lease of a node follows from, as text to compare; '' when it has none. */
export const tokenOf = (node: NodeObject, names: AnnotationNames): string =>
  hasLease(node, names)
    ? JSON.stringify([...podCidrTexts(node), ...READ.map((key) => node.metadata.annotations?.[names[key]])])
    : ''

/** What somebody has set to be the node's public addresses. @throws DecodeError */
export const publicAddressesOf = (node: NodeObject, names: AnnotationNames): Pick<Lease, 'publicIP' | 'publicIPv6'> => {
  const publicIP = addressIn(node, names.nodePublicIP, 4)
  const publicIPv6 = addressIn(node, names.nodePublicIPv6, 6)
  return { ...(publicIP === undefined ? {} : { publicIP }), ...(publicIPv6 === undefined ? {} : { publicIPv6 }) }
}

const isEmpty = (data: BackendData): boolean => Object.keys(data).length === 0

/** The lease of a node that has one (`tokenOf`). A family of which the node has published nothing has no subnet in it, even
 *  where the cluster gave the node one. @throws DecodeError naming the annotation */
export const leaseOf = (node: NodeObject, names: AnnotationNames): Lease => {
  const { name: key, annotations } = node.metadata
  const cidrs = podCidrsOf(node)
  const backendType = annotations?.[names.backendType] ?? ''
  const [publicIP, publicIPv6] = [addressIn(node, names.publicIP, 4), addressIn(node, names.publicIPv6, 6)]
  const [data, v6Data] = [dataIn(node, names.backendData, backendType), dataIn(node, names.backendV6Data, backendType)]
  const subnet = publicIP === undefined && isEmpty(data) ? undefined : cidrs[4]
  const ipv6Subnet = publicIPv6 === undefined && isEmpty(v6Data) ? undefined : cidrs[6]
  if (subnet === undefined && ipv6Subnet === undefined)
    throw new DecodeError(
      names.publicIP,
      'missing, and so is any other address of a family that the node has a podCIDR of',
    )
  return {
    key,
    ...(subnet === undefined ? {} : { subnet }),
    ...(ipv6Subnet === undefined ? {} : { ipv6Subnet }),
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined ? {} : { publicIPv6 }),
    backendType,
    data,
    v6Data,
  }
}
