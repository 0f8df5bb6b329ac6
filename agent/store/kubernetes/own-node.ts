/** This node's Node: its podCIDRs are the lease, and what the lease says are annotations. flannel pkg/subnet/kube/kube.go
 *  `AcquireLease`, `CompleteLease`. Everything is written through `nodes/status`, as flanneld does: an agent needs no right
 *  to change what a Node is meant to be. */
import { addressOf, type Cidr, contains, lengthOf } from '../../../addr/cidr.ts'
import { DecodeError } from '../../../addr/error.ts'
import type { Family, Ip } from '../../../addr/ip.ts'
import type { Claim } from '../../../overlay/claim.ts'
import type { BackendData, Lease } from '../../../overlay/lease.ts'
import { encodeBackendData } from '../../../overlay/lease-value.ts'
import type { FamilyConf, NetConf } from '../../../overlay/net-conf.ts'
import { StoreError } from '../store.ts'
import type { Access } from './access.ts'
import type { AnnotationNames } from './annotations.ts'
import { addressIn, type NodeObject, podCidrsOf, requireNode } from './node.ts'
import { askFor } from './request.ts'

type Annotations = Readonly<Record<string, string>>

/** What Go writes where a backend has nothing to say. */
const NOTHING = 'null'
const NO_ADDRESS = '0.0.0.0'

const textOf = (data: BackendData): string => JSON.stringify(encodeBackendData(data)) ?? NOTHING

const hasIpv4 = ({ backendType, data }: Claim): boolean =>
  !['vxlan', 'wireguard'].includes(backendType) || textOf(data) !== NOTHING

const hasIpv6 = ({ backendType, v6Data, publicIPv6 }: Claim): boolean =>
  publicIPv6 !== undefined &&
  (backendType === 'host-gw' || (['vxlan', 'wireguard'].includes(backendType) && textOf(v6Data) !== NOTHING))

/** What the claim is published as: what somebody set for `public-ip-overwrite` precedes the node's own address.
 *  @throws DecodeError when that is no address */
export const overwritten = (claim: Claim, node: NodeObject, names: AnnotationNames): Claim => {
  const publicIP: Ip | undefined = addressIn(node, names.publicIPOverwrite, 4) ?? claim.publicIP
  const publicIPv6: Ip | undefined = addressIn(node, names.publicIPv6Overwrite, 6) ?? claim.publicIPv6
  return {
    ...claim,
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined || claim.publicIPv6 === undefined ? {} : { publicIPv6 }),
  }
}

/** The annotations that flanneld writes for `claim`. */
export const annotationsOf = (claim: Claim, names: AnnotationNames): Annotations => ({
  [names.backendType]: claim.backendType,
  ...(hasIpv4(claim)
    ? { [names.backendData]: textOf(claim.data), [names.publicIP]: claim.publicIP ?? NO_ADDRESS }
    : {}),
  ...(hasIpv6(claim)
    ? { [names.backendV6Data]: textOf(claim.v6Data), [names.publicIPv6]: claim.publicIPv6 ?? '' }
    : {}),
  [names.managed]: 'true',
})

const path = (name: string): string => `/api/v1/nodes/${encodeURIComponent(name)}`

/** @throws StoreError */
export const getNode = async (access: Access, name: string, signal: AbortSignal): Promise<NodeObject> =>
  requireNode(await askFor(access, { method: 'GET', path: path(name) }, signal))

const patchStatus = async (access: Access, name: string, patch: object, signal: AbortSignal): Promise<void> => {
  await askFor(access, { method: 'PATCH', path: `${path(name)}/status`, patch: JSON.stringify(patch) }, signal)
}

/** Writes those of `wanted` that `node` does not have already. @throws StoreError */
export const annotate = async (
  access: Access,
  node: NodeObject,
  wanted: Annotations,
  signal: AbortSignal,
): Promise<void> => {
  const present = node.metadata.annotations ?? {}
  const annotations = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => present[name] !== value))
  if (Object.keys(annotations).length > 0)
    await patchStatus(access, node.metadata.name, { metadata: { annotations } }, signal)
}

const WORDS = {
  4: { network: 'Network', enable: 'EnableIPv4' },
  6: { network: 'IPv6Network', enable: 'EnableIPv6' },
} as const

/** The podCIDR of `family` that `conf` asks for. @throws StoreError */
const subnetFor = (name: string, family: Family, cidr: Cidr | undefined, conf: FamilyConf): Cidr => {
  const { network, enable } = WORDS[family]
  if (cidr === undefined)
    throw new StoreError(
      `node ${name} has no IPv${family} podCIDR, and ${enable} is true: kube-controller-manager assigns one with --allocate-node-cidrs and an IPv${family} --cluster-cidr`,
    )
  if (lengthOf(cidr) < lengthOf(conf.network) || !contains(conf.network, addressOf(cidr)))
    throw new StoreError(
      `node ${name} has the podCIDR ${cidr}, which is not inside ${network} ${conf.network} of the network configuration`,
    )
  return cidr
}

/** The subnets of this node's lease. @throws StoreError when the cluster and the network configuration do not agree */
export const subnetsOf = (node: NodeObject, conf: NetConf): Pick<Lease, 'subnet' | 'ipv6Subnet'> => {
  const [cidrs, { name }] = [podCidrsOf(node), node.metadata]
  return {
    ...(conf.ipv4 === undefined ? {} : { subnet: subnetFor(name, 4, cidrs[4], conf.ipv4) }),
    ...(conf.ipv6 === undefined ? {} : { ipv6Subnet: subnetFor(name, 6, cidrs[6], conf.ipv6) }),
  }
}

/** Says that pods of this node have a network: the scheduler keeps pods away from a node of which a cloud provider says
 *  otherwise. @throws StoreError */
export const reportNetwork = async (access: Access, name: string, signal: AbortSignal): Promise<void> => {
  const now = new Date().toISOString().replace(/\.\d+/, '')
  const condition = {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: 'PodwireIsUp',
    message: 'podwire is running on this node',
    lastTransitionTime: now,
    lastHeartbeatTime: now,
  }
  await patchStatus(access, name, { status: { conditions: [condition] } }, signal)
}

/** What `read` makes of `node`. @throws StoreError for a Node that does not decode, which is the operator's to mend */
export const orStoreError = <T>(node: NodeObject, read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StoreError(`node ${node.metadata.name}: ${error.message}`, { cause: error })
  }
}
