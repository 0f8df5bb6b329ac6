/** The two ends of an attachment's veth pair: derived from its owner on ADD, read from prevResult on CHECK (where the
 *  attachment may be another implementation's, and a chained plugin may have changed the address). */
import { hexBytes, localMacOf, type Mac, readMac } from '../addr/mac.ts'
import { CniError, ERR_CONFIG, ERR_CONFLICT } from '../cni/error.ts'
import type { AttachmentId } from '../cni/plugin.ts'
import type { Interface, Result } from '../cni/result.ts'
import { runAll } from '../cni/steps.ts'
import { dumpLinks, getLink, getLinkAt, type Link } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import { removeLink } from './link-settings.ts'
import { commentOf, hashOf, linkNameOf, networkPrefix, type Owner } from './owner.ts'

export interface End {
  readonly name: string
  readonly mac?: Mac
}

export interface Ends {
  readonly host: End
  readonly pod: End
  /** The host end carries the owner as its alias: podwire made it. */
  readonly owned: boolean
}

const macFor = (owner: Owner, end: string): Mac =>
  localMacOf(hexBytes(hashOf(12, end, owner.network, owner.containerID, owner.ifName)))

/** The name of the host end: `veth` and eleven hex digits of the owner's hash. */
export const hostNameOf = (owner: Owner): string => linkNameOf('veth', owner)

/** What ADD will make; `mac` is the pod's address where the configuration names one. */
export const derivedEnds = (owner: Owner, mac: Mac | undefined): Ends => ({
  host: { name: hostNameOf(owner), mac: macFor(owner, 'host') },
  pod: { name: owner.ifName, mac: mac ?? macFor(owner, 'pod') },
  owned: true,
})

const endOf = ({ name, mac }: Interface): End => {
  const address = mac === undefined ? undefined : readMac(mac)
  return address === undefined ? { name } : { name, mac: address }
}

/** The ends that prevResult names: the interface `ifName` with a sandbox, and the node's interface among `interfaces` whose
 *  peer it is. @throws CniError 7 when prevResult has no such interface */
export const recordedEnds = (owner: Owner, prevResult: Result, kernel: Kernel): Ends => {
  const interfaces = prevResult.interfaces ?? []
  const pod = interfaces.find(({ name, sandbox }) => name === owner.ifName && sandbox !== undefined && sandbox !== '')
  if (pod === undefined)
    throw new CniError(
      ERR_CONFIG,
      `prevResult names no interface ${owner.ifName} in a sandbox`,
      "CHECK needs the result of this attachment's ADD",
    )
  const peer = getLink(kernel.route('pod'), owner.ifName)?.peer
  const host = interfaces.find(({ name, sandbox }) => !sandbox && getLink(kernel.route('node'), name)?.index === peer)
  const name = host?.name ?? hostNameOf(owner)
  return { host: host === undefined ? { name } : endOf(host), pod: endOf(pod), owned: name === hostNameOf(owner) }
}

/** Refuses an interface that the pod has already. @throws CniError 103 */
export const refuseTaken = (ifName: string, netns: string, kernel: Kernel): void => {
  if (getLink(kernel.route('pod'), ifName) === undefined) return
  throw new CniError(
    ERR_CONFLICT,
    `CNI_IFNAME ${ifName} exists already in ${netns}`,
    'DEL this attachment first, or choose another CNI_IFNAME',
  )
}

/** Whether the host end of `pod` says that podwire made the pair for another attachment. */
const isAnothers = (pod: Link, owner: Owner, kernel: Kernel): boolean => {
  const alias = getLinkAt(kernel.route('node'), pod.peer)?.alias ?? ''
  return alias.split('/').length === OWNER_PARTS && alias !== commentOf(owner)
}
const OWNER_PARTS = 3

/** Removes the pair: by the derived name of the host end, and, for one that another implementation made, by the name of
 *  the pod's end. Absent is success; an interface that is no veth, or another attachment's, stays. @throws NetlinkError */
export const removeEnds = (owner: Owner, kernel: Kernel, podReachable: boolean): void => {
  removeLink('node', hostNameOf(owner), kernel)
  const pod = podReachable ? getLink(kernel.route('pod'), owner.ifName) : undefined
  if (pod?.kind === 'veth' && !isAnothers(pod, owner, kernel)) removeLink('pod', owner.ifName, kernel)
}

const isStale = (link: Link, network: string, valid: ReadonlySet<string>): boolean =>
  link.kind === 'veth' && link.alias.startsWith(networkPrefix(network)) && !valid.has(link.alias)

/** Removes the pairs of `network` whose owner is not among `valid`, going on past failures. @throws CniError all of them */
export const sweepEnds = (network: string, valid: readonly AttachmentId[], kernel: Kernel): void => {
  const keep = new Set(valid.map(({ containerID, ifName }) => commentOf({ network, containerID, ifName })))
  const stale = dumpLinks(kernel.route('node')).filter((link) => isStale(link, network, keep))
  runAll(...stale.map((link) => () => removeLink('node', link.name, kernel)))
}
