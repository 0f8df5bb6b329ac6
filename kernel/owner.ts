/** Who a kernel object belongs to, and the names derived from that: nothing of ours is found through a state file. */
import { sha512 } from '../native/addon.ts'

/** An attachment of a network: SPEC.md §2's tuple. */
export interface Owner {
  readonly network: string
  readonly containerID: string
  readonly ifName: string
}

/** Alias of a link that podwire made for all attachments that use it (a bridge, a VLAN's gateway): GC takes it back when the
 *  last one is gone. */
export const SHARED_ALIAS = 'podwire'

/** The owner of what a call makes. */
export const ownerOf = (call: {
  readonly conf: { readonly name: string }
  readonly containerID: string
  readonly ifName: string
}): Owner => ({ network: call.conf.name, containerID: call.containerID, ifName: call.ifName })

const NETWORK_MAX = 40
const ID_MAX = 64

/** Hex digits of SHA-512 over the parts, each closed by a NUL so that no two lists of parts run together. */
export const hashOf = (length: number, ...parts: readonly string[]): string =>
  sha512(parts.map((part) => `${part}\0`).join('')).slice(0, length)

const bounded = (text: string, max: number): string => (text.length <= max ? text : `~${hashOf(32, text)}`)

/** `network/containerID/ifName`, at most 122 bytes: fits the 128 of an nft comment. Long parts are hashed; `~` cannot
 *  begin a valid name, so a hashed part is never mistaken for a plain one. */
export const commentOf = (owner: Owner): string =>
  `${networkPrefix(owner.network)}${bounded(owner.containerID, ID_MAX)}/${owner.ifName}`

/** What the comment of every object of `network` begins with. */
export const networkPrefix = (network: string): string => `${bounded(network, NETWORK_MAX)}/`

/** `prefix` and as many hex digits as an interface name (15 bytes) has room for, from the owner. */
export const linkNameOf = (prefix: string, owner: Owner): string =>
  prefix + hashOf(15 - prefix.length, owner.network, owner.containerID, owner.ifName)
