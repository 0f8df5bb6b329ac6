/** Names and comments that the reference plugins give their iptables objects. containernetworking/plugins, pkg/utils. */
import { sha512 } from '../native/addon.ts'
import type { Owner } from './owner.ts'

const CHAIN_LENGTH = 28
const COMMENT_BYTES = 255

/** `CNI-` + `prefix` + hex digits of SHA-512 over network name and container id, 28 characters in all. */
export const chainNameOf = ({ network, containerID }: Omit<Owner, 'ifName'>, prefix = ''): string =>
  `CNI-${prefix}${sha512(network + containerID)}`.slice(0, CHAIN_LENGTH)

/** `text` cut to what the comment match holds (linux/netfilter/xt_comment.h). */
export const trimComment = (text: string): string =>
  text.length <= COMMENT_BYTES ? text : `${text.slice(0, COMMENT_BYTES - 3)}...`

/** `name: "NETWORK" id: "CONTAINER"`. Both are limited to letters, digits and `_.-` by the specification. */
export const iptablesComment = ({ network, containerID }: Omit<Owner, 'ifName'>): string =>
  trimComment(`name: "${network}" id: "${containerID}"`)

/** The container id in a comment of `iptablesComment`, with or without a word before it; undefined when it is of another
 *  network or none. */
export const containerIn = (comment: string, network: string): string | undefined => {
  const [, name, id] = /^(?:\S+ )?name: "([^"]+)" id: "([^"]+)"$/.exec(comment) ?? []
  return name === network ? id : undefined
}
