/** The links that stand in for a container's output. A link can hold back only what leaves it, so what a container sends is
 *  redirected through a link of kind ifb, one for each attachment. */
import { hexBytes, localMacOf, type Mac } from '../../addr/mac.ts'
import type { AttachmentId } from '../../cni/plugin.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { commentOf, linkNameOf, networkPrefix, type Owner } from '../../kernel/owner.ts'
import { sha512 } from '../../native/addon.ts'
import { dumpLinks, getLink, type Link } from '../../netlink/link.ts'
import { getRedirects } from '../../netlink/tc.ts'

const PREFIX = 'bwp'
const UPSTREAM_NAME = /^bwp[0-9a-f]{12}$/

/** An attachment's ifb, or the one that upstream's plugin made for it. */
export interface Ifb {
  readonly name: string
  /** Derived from the name's digits; undefined for upstream's, whose address is the kernel's choice. */
  readonly mac?: Mac
}

export const ifbOf = (owner: Owner): Ifb => {
  const name = linkNameOf(PREFIX, owner)
  return { name, mac: localMacOf(hexBytes(name.slice(PREFIX.length))) }
}

const upstreamName = ({ network, containerID }: Omit<Owner, 'ifName'>): string =>
  PREFIX + sha512(network + containerID).slice(0, 12)

/** The name upstream derives, from network and container alone: all of a container's attachments to a network share it. */
export const upstreamIfbOf = (owner: Owner): Ifb => ({ name: upstreamName(owner) })

/** The ifb that upstream's plugin made for the container; undefined when there is none. */
export const findUpstreamIfb = (owner: Owner, kernel: Kernel): Ifb | undefined => {
  const upstream = upstreamIfbOf(owner)
  return isUpstreamIfb(getLink(kernel.route('node'), upstream.name)) ? upstream : undefined
}

/** The one of an attachment's two possible ifbs that is there; its own when none is. */
export const presentIfb = (owner: Owner, kernel: Kernel): Ifb => {
  const own = ifbOf(owner)
  if (getLink(kernel.route('node'), own.name) !== undefined) return own
  return findUpstreamIfb(owner, kernel) ?? own
}

/** Upstream's plugin leaves the alias empty. */
const isUpstreamIfb = (link: Link | undefined): boolean =>
  link !== undefined && link.kind === 'ifb' && link.alias === '' && UPSTREAM_NAME.test(link.name)

/** Names of ifbs of `network` whose owner is not among `valid`. One of upstream's does not say whose it is: it is stale when
 *  nothing is redirected to it, because the container's link, and the filter on it, are gone. */
export const staleIfbs = (network: string, valid: readonly AttachmentId[], kernel: Kernel): readonly string[] => {
  const keep = new Set(valid.map(({ containerID, ifName }) => commentOf({ network, containerID, ifName })))
  const keepUpstream = new Set(valid.map(({ containerID }) => upstreamName({ network, containerID })))
  const links = dumpLinks(kernel.route('node'))
  const own = links.filter((l) => l.kind === 'ifb' && l.alias.startsWith(networkPrefix(network)) && !keep.has(l.alias))
  const unowned = links.filter((link) => isUpstreamIfb(link) && !keepUpstream.has(link.name))
  return [...own, ...unused(unowned, links, kernel)].map(({ name }) => name)
}

const unused = (ifbs: readonly Link[], links: readonly Link[], kernel: Kernel): readonly Link[] => {
  if (ifbs.length === 0) return []
  const pairs = links.filter(({ kind }) => kind === 'veth')
  const used = new Set(pairs.flatMap(({ index }) => getRedirects(kernel.route('node'), index).map(({ to }) => to)))
  return ifbs.filter(({ index }) => !used.has(index))
}
