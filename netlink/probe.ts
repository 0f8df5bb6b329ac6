/** Requests that are always refused, and whose errno says whether the kernel can do the thing at all (asking loads a module
 *  that is needed). Nothing is changed. net/core/rtnetlink.c rtnl_create_link, net/sched/sch_api.c qdisc_create. */
import { NetlinkError } from './error.ts'
import { ascii, concat, type Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, u32 } from './message.ts'
import { ifinfomsg, RTM_NEWLINK } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_NEWQDISC = 36
const TC_H_ROOT = 0xffffffff
const IFLA_IFNAME = 3
const IFLA_LINKINFO = 18
const IFLA_NUM_TX_QUEUES = 31
const IFLA_INFO_KIND = 1
const TCA_KIND = 1
const LOOPBACK_INDEX = 1
const EPERM = 1
const ENOENT = 2
const EOPNOTSUPP = 95
const NEW = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL

/** A link without transmit queues: no kind is made so (EINVAL), and an unknown kind is EOPNOTSUPP. */
const probeLink = (kind: string): Message => ({
  type: RTM_NEWLINK,
  flags: NEW,
  header: ifinfomsg(),
  attrs: [
    [IFLA_IFNAME, 'probe'],
    [IFLA_NUM_TX_QUEUES, 0],
    [IFLA_LINKINFO, [[IFLA_INFO_KIND, ascii(kind)]]],
  ],
})

/** A qdisc without the parameters it must have (EINVAL); an unknown kind is ENOENT. Only for kinds that must have some. */
const probeQdisc = (kind: 'tbf'): Message => ({
  type: RTM_NEWQDISC,
  flags: NEW,
  header: concat(u32(0), u32(LOOPBACK_INDEX), u32(0), u32(TC_H_ROOT), u32(0)),
  attrs: [[TCA_KIND, kind]],
})

const refuse = (socket: NetlinkSocket, operation: string, message: Message): void => {
  const [reply] = socket.exchange([message])
  if (reply !== undefined && [EPERM, ENOENT, EOPNOTSUPP].includes(reply.errno))
    throw new NetlinkError(operation, reply.errno, reply.extack)
}

/** @throws NetlinkError when links of `kind` cannot be made: not permitted, or not known to this kernel */
export const requireLinkKind = (socket: NetlinkSocket, kind: string): void =>
  refuse(socket, `ip link add type ${kind}`, probeLink(kind))

/** @throws NetlinkError when a TBF cannot be made: not permitted, or not known to this kernel */
export const requireTbf = (socket: NetlinkSocket): void => refuse(socket, 'tc qdisc add root tbf', probeQdisc('tbf'))
