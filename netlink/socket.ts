/** A netlink socket in one network namespace: the only place where bytes meet the kernel. Synchronous; a batch of any
 *  length is one `send`, and its answers are read until the queue is empty. */
import { closeSync, writeSync } from 'node:fs'
import { addon } from '../native/addon.ts'
import { NetlinkError } from './error.ts'
import {
  decodeAttrs,
  decodeMessages,
  eachMessage,
  encodeMessages,
  type Message,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  type Received,
  readText,
  readU32,
  u32,
} from './message.ts'

export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12
const NLMSGERR_ATTR_MSG = 1
/** sizeof(int) + sizeof(nlmsghdr): where extended-ACK attributes start (NETLINK_CAP_ACK is on). */
const NLMSGERR_SIZE = 20

/** The kernel's answer to message i of a batch: its errno (0: done) and explanation, or the messages it sent back. */
export interface Reply {
  readonly errno: number
  readonly extack: string
  readonly messages: readonly Received[]
}

/** A message of a batch that the kernel refused. */
export interface Refusal {
  /** Of the message in its batch. */
  readonly index: number
  readonly errno: number
  readonly extack: string
}

/** What is asked, in the words of `ip` or `nft`. */
export type Operation = string | (() => string)

/** A message of a dump: what stands in `bytes` from behind its nlmsghdr to its end, until this returns. */
export type EachMessage = (bytes: Uint8Array, from: number, to: number) => void

export interface NetlinkSocket {
  /** Sends `messages` in one datagram and returns one reply for each, in order. Never throws for what the kernel refuses. */
  readonly exchange: (messages: readonly Message[]) => Reply[]
  /** Sends one message and returns what came back. `operation` is its name for errors: a function, where saying it takes
   *  work that a request which succeeds need not do. @throws NetlinkError */
  readonly request: (operation: Operation, message: Message) => readonly Received[]
  /** Sends messages, none of which asks for an answer and which are numbered from 0 on (nlmsg_seq), in one datagram, and
   *  returns those that were refused. @throws NetlinkError when the socket fails */
  readonly send: (messages: Uint8Array) => readonly Refusal[]
  /** Sends a request for a dump and hands over each message of it from where it was received, so that none of it is in
   *  memory together. A dump that ran into a change is taken again, after `again`. @throws NetlinkError */
  readonly dump: (operation: Operation, message: Message, each: EachMessage, again: () => void) => void
  /** Its port id: what the kernel names as the cause (nlmsg_pid) in notifications of what was done over it. */
  readonly port: () => number
  readonly close: () => void
}

const isErrno = (error: unknown): error is { errno: number; syscall: string } =>
  error instanceof Error && 'errno' in error && 'syscall' in error

/** What `call`, of the addon or a system call, returns. @throws NetlinkError what it fails with */
export const native = <T>(call: () => T): T => {
  try {
    return call()
  } catch (error) {
    if (isErrno(error)) throw new NetlinkError(error.syscall, Math.abs(error.errno))
    throw error
  }
}

const debug = (direction: string, messages: readonly { type: number; flags: number }[]): void => {
  for (const { type, flags } of messages)
    writeSync(2, `netlink ${direction} type=${type} flags=0x${flags.toString(16)}\n`)
}

interface Pending {
  errno: number
  extack: string
  messages: Received[]
  interrupted: boolean
}

/** Errno and text of an NLMSG_ERROR or NLMSG_DONE body. */
const outcomeOf = ({ type, body }: Received): { errno: number; extack: string } => {
  const code = body.length < 4 ? 0 : readU32(body) | 0
  const attrs = body.subarray(type === NLMSG_ERROR ? NLMSGERR_SIZE : 4)
  return { errno: 0 - code, extack: code === 0 ? '' : readText(decodeAttrs(attrs).get(NLMSGERR_ATTR_MSG)) }
}

const collect = (count: number, firstSeq: number, received: readonly Received[]): Pending[] => {
  const replies: Pending[] = []
  for (let i = 0; i < count; i++) replies.push({ errno: 0, extack: '', messages: [], interrupted: false })
  for (const message of received) {
    const reply = replies[message.seq - firstSeq]
    if (reply === undefined) continue
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
      if (reply.errno === 0) Object.assign(reply, outcomeOf(message))
    } else reply.messages.push(message)
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) reply.interrupted = true
  }
  return replies
}

const SOCKADDR_NL_SIZE = 12
/** getsockname(2), struct sockaddr_nl. */
const portOf = (fd: number): number => {
  const { syscall, numbers } = addon()
  const address = new Uint8Array(SOCKADDR_NL_SIZE)
  const answer = syscall(numbers['getsockname'] ?? -1, fd, address, u32(SOCKADDR_NL_SIZE))
  if (answer < 0) throw new NetlinkError('getsockname', -answer)
  return readU32(address.subarray(4))
}

const DUMP_TRIES = 20

/** Parts of a dump are at most 32 KiB (netlink_dump). */
const ROOM = 1 << 17

const lazily = <T>(value: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= value()
    return made
  }
}

/** @throws NetlinkError when the kernel ended a dump with an error */
const throwRefusal = (operation: Operation, type: number, body: Uint8Array): void => {
  const { errno, extack } = outcomeOf({ type, flags: 0, seq: 0, body })
  if (errno !== 0) throw new NetlinkError(nameOf(operation), errno, extack)
}

const nameOf = (operation: Operation): string => (typeof operation === 'string' ? operation : operation())

/** Opens a socket of `protocol` in the namespace that the descriptor `netns` refers to (-1: this process's own).
 *  @throws NetlinkError */
export const openSocket = (protocol: number, netns: number): NetlinkSocket => {
  const fd = native(() => addon().netlinkOpen(protocol, netns))
  const verbose = process.env.CNI_DEBUG === 'netlink'
  let seq = 1
  const exchangeOnce = (messages: readonly Message[]): Pending[] => {
    const firstSeq = seq
    seq += messages.length
    if (verbose) debug('>', messages)
    const received = decodeMessages(native(() => addon().netlinkTransact(fd, encodeMessages(messages, firstSeq))))
    if (verbose) debug('<', received)
    return collect(messages.length, firstSeq, received)
  }
  /** A dump that ran into a change (NLM_F_DUMP_INTR) is inconsistent: taken again. */
  const exchange = (messages: readonly Message[]): Reply[] => {
    let replies = exchangeOnce(messages)
    for (let i = 1; i < DUMP_TRIES && replies.some((reply) => reply.interrupted); i++) replies = exchangeOnce(messages)
    return replies
  }
  const request = (operation: Operation, message: Message): readonly Received[] => {
    const [reply] = exchange([message])
    if (reply !== undefined && reply.errno !== 0) throw new NetlinkError(nameOf(operation), reply.errno, reply.extack)
    return reply?.messages ?? []
  }
  const room = lazily(() => new Uint8Array(ROOM))
  /** How many bytes of `room` were received; 0: that was all. */
  const receive = (): number => {
    const length = addon().netlinkReceive(fd, room())
    if (length < 0) throw new NetlinkError('netlink', -length)
    return length
  }
  const send = (messages: Uint8Array): readonly Refusal[] => {
    const refusals: Refusal[] = []
    if (verbose) debug('>', decodeMessages(messages))
    native(() => writeSync(fd, messages))
    for (let length = receive(); length > 0; length = receive())
      for (const message of decodeMessages(room().subarray(0, length))) {
        if (verbose) debug('<', [message])
        refusals.push({ index: message.seq, ...outcomeOf(message) })
      }
    return refusals.filter(({ errno }) => errno !== 0)
  }
  /** Returns whether the dump ran into a change. */
  const dumpOnce = (operation: Operation, message: Message, each: EachMessage): boolean => {
    if (verbose) debug('>', [message])
    native(() => writeSync(fd, encodeMessages([message], seq++)))
    let interrupted = false
    for (let length = receive(); length > 0; length = receive())
      eachMessage(room(), length, (type, flags, from, to) => {
        if ((flags & NLM_F_DUMP_INTR) !== 0) interrupted = true
        if (type === NLMSG_ERROR || type === NLMSG_DONE) throwRefusal(operation, type, room().subarray(from, to))
        else each(room(), from, to)
      })
    return interrupted
  }
  const dump = (operation: Operation, message: Message, each: EachMessage, again: () => void): void => {
    for (let i = 1; dumpOnce(operation, message, each) && i < DUMP_TRIES; i++) again()
  }
  return { exchange, request, send, dump, port: () => portOf(fd), close: () => closeSync(fd) }
}
