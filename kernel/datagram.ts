/** Datagram sockets that never wait: raw ICMP, UDP. linux/in.h, linux/in6.h, asm-generic/socket.h. */
import { closeSync } from 'node:fs'
import { type Family, familyOf, type Ip, ipBytes, ipOf } from '../addr/ip.ts'
import { addon } from '../native/addon.ts'
import { NetlinkError } from '../netlink/error.ts'
import { concat, readU32, u16, u32 } from '../netlink/message.ts'
import { AF_INET6, afOf } from '../netlink/rtnetlink.ts'
import { native } from '../netlink/socket.ts'

const SOCK_DGRAM = 2
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0x800
export const IPPROTO_ICMP = 1
export const IPPROTO_UDP = 17
export const IPPROTO_ICMPV6 = 58
const SOL_SOCKET = 1
const SO_TIMESTAMPNS = 35
const SO_RCVBUFFORCE = 33
const RECEIVE_BYTES = 1 << 20
/** Records of `receiveDatagrams`; the same numbers are in native/socket.c. */
const RECORD_SIZE = 256
const RECORD_SOURCE = 8
const RECORD_BYTES = 36
const RECORDS = 64

export interface Datagram {
  readonly from: Ip
  /** When the kernel took it in, in milliseconds of `performance.now()`. */
  readonly at: number
  /** Its first 220 bytes at most; valid until the next call. */
  readonly bytes: Uint8Array
}

export interface DatagramSocket {
  readonly fd: number
  /** Returns 0, or the errno with which the kernel refuses: no route, too long for the path ... */
  readonly send: (bytes: Uint8Array, to: Ip, port?: number) => number
  /** What is waiting, at most 64. */
  readonly receive: () => Datagram[]
  /** @throws NetlinkError */
  readonly option: (level: number, option: number, value: Uint8Array) => void
  /** Lets in only what the program does. @throws NetlinkError */
  readonly filter: (program: Uint8Array) => void
  /** Gives the socket its own address. @throws NetlinkError EADDRNOTAVAIL when it is none of this namespace */
  readonly bind: (address: Ip) => void
  readonly close: () => void
}

/** struct sockaddr_in or sockaddr_in6. */
const sockaddr = (address: Ip, port: number): Uint8Array => {
  const [family, bytes] = [familyOf(address), ipBytes(address)]
  const head = concat(u16(afOf(family)), Uint8Array.of(port >> 8, port))
  return family === 4 ? concat(head, bytes, new Uint8Array(8)) : concat(head, u32(0), bytes, u32(0))
}

const senderOf = (record: Uint8Array): Ip => {
  const at = RECORD_SOURCE
  return ipOf(record[at] === AF_INET6 ? record.subarray(at + 8, at + 24) : record.subarray(at + 4, at + 8))
}

const datagramOf = (record: Uint8Array, now: number): Datagram => {
  const length = Math.min(readU32(record), RECORD_SIZE - RECORD_BYTES)
  return {
    from: senderOf(record),
    at: now - readU32(record.subarray(4)) / 1000,
    bytes: record.subarray(RECORD_BYTES, RECORD_BYTES + length),
  }
}

const receiver = (fd: number): (() => Datagram[]) => {
  const room = new Uint8Array(RECORDS * RECORD_SIZE)
  return () => {
    const count = Math.max(0, addon().receiveDatagrams(fd, room))
    const now = performance.now()
    const list: Datagram[] = []
    for (let i = 0; i < count; i++) list.push(datagramOf(room.subarray(i * RECORD_SIZE, (i + 1) * RECORD_SIZE), now))
    return list
  }
}

const must = (name: string, ...args: readonly (number | Uint8Array)[]): void => {
  const { syscall, numbers } = addon()
  const answer = syscall(numbers[name] ?? -1, ...args)
  if (answer < 0) throw new NetlinkError(name, -answer)
}

/** A socket of `family`: raw, of IPPROTO_ICMP or IPPROTO_ICMPV6, which takes CAP_NET_RAW; or of IPPROTO_UDP.
 *  @throws NetlinkError */
export const openDatagramSocket = (family: Family, protocol: number, netns = -1): DatagramSocket => {
  const type = (protocol === IPPROTO_UDP ? SOCK_DGRAM : SOCK_RAW) | SOCK_NONBLOCK
  const fd = native(() => addon().socketOpen(afOf(family), type, protocol, netns))
  const { syscall, numbers } = addon()
  const sendto = numbers['sendto'] ?? -1
  const send = (bytes: Uint8Array, to: Ip, port = 0): number => {
    const address = sockaddr(to, port)
    return Math.max(0, -syscall(sendto, fd, bytes, bytes.length, 0, address, address.length))
  }
  const option = (level: number, name: number, value: Uint8Array): void =>
    must('setsockopt', fd, level, name, value, value.length)
  const bind = (address: Ip): void => {
    const name = sockaddr(address, 0)
    must('bind', fd, name, name.length)
  }
  option(SOL_SOCKET, SO_TIMESTAMPNS, u32(1))
  syscall(numbers['setsockopt'] ?? -1, fd, SOL_SOCKET, SO_RCVBUFFORCE, u32(RECEIVE_BYTES), 4)
  const filter = (program: Uint8Array): void => native(() => addon().attachFilter(fd, program))
  return { fd, send, receive: receiver(fd), option, filter, bind, close: () => closeSync(fd) }
}
