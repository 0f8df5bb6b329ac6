/** The netfilter subsystems' share of netlink: nfgenmsg, and the batch that makes many nftables messages one transaction.
 *  linux/netfilter/nfnetlink.h; net/netfilter/nfnetlink.c. */
import { NetlinkError } from './error.ts'
import { type Attr, be32, type Message, NLM_F_REQUEST } from './message.ts'
import type { NetlinkSocket, Reply } from './socket.ts'

export const NFNL_SUBSYS_CTNETLINK = 1
export const NFNL_SUBSYS_NFTABLES = 10
const NFNL_MSG_BATCH_BEGIN = 0x10
const NFNL_MSG_BATCH_END = 0x11
const NFNL_BATCH_GENID = 1

export const NFPROTO_UNSPEC = 0
export const NFPROTO_INET = 1
export const NFPROTO_IPV4 = 2
export const NFPROTO_NETDEV = 5
export const NFPROTO_BRIDGE = 7
export const NFPROTO_IPV6 = 10
/** sizeof(struct nfgenmsg) */
export const NFGENMSG_SIZE = 4

/** struct nfgenmsg: family, version 0 and a resource id, which is in network order. */
export const nfgenmsg = (family: number, resource = 0): Uint8Array =>
  Uint8Array.of(family, 0, resource >> 8, resource & 0xff)

export const nfMessage = (
  subsystem: number,
  type: number,
  flags: number,
  family: number,
  attrs: readonly Attr[],
): Message => ({ type: (subsystem << 8) | type, flags: NLM_F_REQUEST | flags, header: nfgenmsg(family), attrs })

const bracket = (type: number, attrs: readonly Attr[]): Message => ({
  type,
  flags: NLM_F_REQUEST,
  header: nfgenmsg(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES),
  attrs,
})

/** `messages` as one transaction: all of them or none. With `generation` the kernel refuses it (ERESTART, see `isStale`)
 *  when the ruleset is no longer the one that was read. */
export const batchOf = (messages: readonly Message[], generation?: number): readonly Message[] => [
  bracket(NFNL_MSG_BATCH_BEGIN, generation === undefined ? [] : [[NFNL_BATCH_GENID, be32(generation)]]),
  ...messages,
  bracket(NFNL_MSG_BATCH_END, []),
]

/** The first message of a batch that was refused. The index counts from the batch's own messages; -1: the batch as a whole. */
const refusal = (operation: string, replies: readonly Reply[]): NetlinkError | undefined => {
  const at = replies.findIndex((reply) => reply.errno !== 0)
  const reply = replies[at]
  return reply === undefined ? undefined : new NetlinkError(operation, reply.errno, reply.extack, at - 1)
}

/** Sends `messages` as one transaction. `operation` names it in the error, whose `index` is that of the refused message
 *  among `messages`, -1 when the transaction as a whole was refused. @throws NetlinkError */
export const commit = (
  socket: NetlinkSocket,
  operation: string,
  messages: readonly Message[],
  generation?: number,
): void => {
  const refused = refusal(operation, socket.exchange(batchOf(messages, generation)))
  if (refused !== undefined) throw refused
}
