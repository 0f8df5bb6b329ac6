/** Generic netlink: one socket for many families, each of which has a number that the kernel tells by name.
 *  linux/genetlink.h; Documentation/userspace-api/netlink/intro.rst; net/netlink/genetlink.c. */
import { ENOENT, NetlinkError } from './error.ts'
import { type Attr, decodeAttrs, type Message, NLM_F_REQUEST, type Received, readU16 } from './message.ts'
import { type NetlinkSocket, openSocket } from './socket.ts'

export const NETLINK_GENERIC = 16
const GENL_ID_CTRL = 0x10
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2
/** sizeof(struct genlmsghdr) */
const GENL_HDRLEN = 4

/** struct genlmsghdr: command, version of the family's interface, two bytes reserved. */
const genlmsghdr = (command: number, version: number): Uint8Array => Uint8Array.of(command, version, 0, 0)

/** A request to the family with the number `family`; `flags` beside NLM_F_REQUEST. */
export const genericMessage = (
  family: number,
  command: number,
  flags: number,
  attrs: readonly Attr[],
  version = 1,
): Message => ({ type: family, flags: NLM_F_REQUEST | flags, header: genlmsghdr(command, version), attrs })

/** The attributes of an answer: all after its genlmsghdr. */
export const genericBody = ({ body }: Received): Uint8Array => body.subarray(GENL_HDRLEN)

export interface GenericSocket extends NetlinkSocket {
  /** The number of the family called `name`; asked of the kernel once, which loads the family's module when it has one.
   *  @throws NetlinkError ENOENT that says which module is missing, when this kernel has no such family */
  readonly family: (name: string) => number
}

const missing = (name: string): NetlinkError =>
  new NetlinkError(
    `generic netlink family ${name}`,
    ENOENT,
    `this kernel does not have it: try \`modprobe ${name}\`, or install a kernel with that module`,
  )

const askFamily = (socket: NetlinkSocket, name: string): number => {
  const [reply] = socket.exchange([
    genericMessage(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0, [[CTRL_ATTR_FAMILY_NAME, name]]),
  ])
  if (reply?.errno === ENOENT) throw missing(name)
  const answer = reply?.messages[0]
  if (reply === undefined || reply.errno !== 0 || answer === undefined)
    throw new NetlinkError(`generic netlink family ${name}`, reply?.errno ?? ENOENT, reply?.extack)
  return readU16(decodeAttrs(genericBody(answer)).get(CTRL_ATTR_FAMILY_ID))
}

/** Opens a generic netlink socket in the namespace that the descriptor `netns` refers to (-1: this process's own).
 *  @throws NetlinkError */
export const openGeneric = (netns: number): GenericSocket => {
  const socket = openSocket(NETLINK_GENERIC, netns)
  const known = new Map<string, number>()
  const family = (name: string): number => {
    const id = known.get(name) ?? askFamily(socket, name)
    known.set(name, id)
    return id
  }
  return { ...socket, family }
}
