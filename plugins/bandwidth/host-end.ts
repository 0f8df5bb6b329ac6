/** The node's end of a container's veth pair: where its traffic is shaped. */
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { getLink, getLinkAt, type Link } from '../../netlink/link.ts'

/** What a plan needs to know of it. */
export interface HostEnd {
  readonly name: string
  /** Bytes; undefined where the kernel has not been asked. */
  readonly mtu?: number
}

/** The link of the node whose peer the container's interface is: each names the other by index. */
const peerOf = (pod: Link, kernel: Kernel): Link | undefined => {
  const host = pod.kind === 'veth' ? getLinkAt(kernel.route('node'), pod.peer) : undefined
  return host?.kind === 'veth' && host.peer === pod.index ? host : undefined
}

const nodeNames = (call: Call): readonly string[] =>
  (call.prevResult?.interfaces ?? []).filter(({ sandbox }) => !sandbox).map(({ name }) => name)

/** Where the container has no interface of that name: the one veth of the node that prevResult names. */
const recordedEnd = (call: Call, kernel: Kernel): Link | undefined => {
  const links = nodeNames(call).map((name) => getLink(kernel.route('node'), name))
  const pairs = links.filter((link) => link?.kind === 'veth' && link.peerElsewhere)
  return pairs.length === 1 ? pairs[0] : undefined
}

const notFound = ({ ifName, netns }: Call, pod: Link | undefined): CniError => {
  const found =
    pod === undefined ? 'is not there' : pod.kind === 'veth' ? 'has its peer elsewhere' : `is a ${pod.kind || 'device'}`
  return new CniError(
    ERR_CONFIG,
    `bandwidth shapes veth pairs between ${netns} and the node, and the interface ${ifName} ${found}`,
    'put bandwidth behind a plugin that makes such a pair, such as bridge or ptp',
  )
}

/** @throws CniError 7 when the container's interface is no veth whose other end is in the node's namespace */
export const findHostEnd = (call: Call, kernel: Kernel): Link => {
  const pod = getLink(kernel.route('pod'), call.ifName)
  const host = pod === undefined ? recordedEnd(call, kernel) : peerOf(pod, kernel)
  if (host === undefined) throw notFound(call, pod)
  kernel.indexes.set(`node/${host.name}`, host.index)
  return host
}

/** The end as prevResult suggests it: the last interface of the node before the container's. */
export const presumedHostEnd = (call: Call): HostEnd => ({ name: nodeNames(call).at(-1) ?? 'veth' })
