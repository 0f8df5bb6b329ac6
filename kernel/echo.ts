/** Echo requests and UDP datagrams sent to find out who answers, and what comes back. */
import type { Family, Ip } from '../addr/ip.ts'
import { u32 } from '../netlink/message.ts'
import {
  type Datagram,
  type DatagramSocket,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_UDP,
  openDatagramSocket,
} from './datagram.ts'
import { decodeIcmp, echoRequest, filterOf, type IcmpError, identifierFilter } from './icmp.ts'

const SOL_RAW = 255
const ICMP_FILTER = 1
const IPPROTO_IP = 0
const IPPROTO_IPV6 = 41
const IP_MTU_DISCOVER = 10
const IPV6_MTU_DISCOVER = 23
const IPV6_DONTFRAG = 62
/** DF is set, and what the kernel believes of the path's MTU does not matter. linux/in.h IP_PMTUDISC_PROBE. */
const PMTUDISC_PROBE = 3

export type Echo =
  | { readonly kind: 'reply'; readonly from: Ip; readonly seq: number; readonly at: number }
  | { readonly kind: 'error'; readonly from: Ip; readonly about: IcmpError }

export interface EchoSocket {
  readonly fd: number
  /** Sends an echo request with `size` bytes of payload. Returns 0, or the errno with which the kernel refuses. */
  readonly send: (to: Ip, seq: number, size?: number) => number
  /** What came back to requests of this socket (and, with `errors`, what was said of any packet of this node). */
  readonly receive: () => Echo[]
  readonly close: () => void
}

export interface EchoOptions {
  /** Hears of errors too: nothing listens on a port, a packet is too long. */
  readonly errors?: boolean
  /** Requests are not fragmented, and sent however long the path's MTU is believed to be. */
  readonly unfragmented?: boolean
  /** The address requests are sent from; the kernel's choice when absent. */
  readonly source?: Ip
}

let opened = 0
/** Tells sockets of this process from each other, and mostly from those of others. */
const freshId = (): number => {
  opened += 1
  return (process.pid * 61 + opened * 7919) & 0xffff
}

const keepWhole = (socket: DatagramSocket, family: Family): void => {
  if (family === 4) socket.option(IPPROTO_IP, IP_MTU_DISCOVER, u32(PMTUDISC_PROBE))
  else {
    socket.option(IPPROTO_IPV6, IPV6_MTU_DISCOVER, u32(PMTUDISC_PROBE))
    socket.option(IPPROTO_IPV6, IPV6_DONTFRAG, u32(1))
  }
}

const setUp = (
  socket: DatagramSocket,
  family: Family,
  id: number,
  { errors, unfragmented, source }: EchoOptions,
): void => {
  if (errors !== true) socket.filter(identifierFilter(family, id))
  const filter = filterOf(family, errors === true)
  if (family === 4) socket.option(SOL_RAW, ICMP_FILTER, filter)
  else socket.option(IPPROTO_ICMPV6, ICMP_FILTER, filter)
  if (unfragmented) keepWhole(socket, family)
  if (source !== undefined) socket.bind(source)
}

const echoOf = (family: Family, id: number, { from, at, bytes }: Datagram): Echo[] => {
  const message = decodeIcmp(family, bytes)
  if (message === undefined) return []
  if (message.kind !== 'reply') return [{ kind: 'error', from, about: message }]
  return message.id === id ? [{ kind: 'reply', from, seq: message.seq, at }] : []
}

/** Reads of up to 64 datagrams: more than a socket's buffer holds. Who sends faster than this reads is not listened to for
 *  ever. */
const READS = 64

/** What is waiting. */
export const echoesOf = (socket: Pick<DatagramSocket, 'receive'>, family: Family, id: number): Echo[] => {
  const echoes: Echo[] = []
  for (let i = 0; i < READS; i++) {
    const got = socket.receive()
    if (got.length === 0) break
    for (const datagram of got) echoes.push(...echoOf(family, id, datagram))
  }
  return echoes
}

/** A socket for echo requests of `family`. @throws NetlinkError EPERM without CAP_NET_RAW */
export const openEchoSocket = (family: Family, options: EchoOptions = {}): EchoSocket => {
  const socket = openDatagramSocket(family, family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)
  const id = freshId()
  try {
    setUp(socket, family, id, options)
  } catch (error) {
    socket.close()
    throw error
  }
  return {
    fd: socket.fd,
    send: (to, seq, size) => socket.send(echoRequest(family, id, seq, size), to),
    receive: () => echoesOf(socket, family, id),
    close: socket.close,
  }
}

export interface UdpSocket {
  /** Sends 8 zeros to a port of `to`; nobody is to understand them. Returns 0, or the errno. */
  readonly send: (to: Ip, port: number) => number
  readonly close: () => void
}

/** A socket for UDP datagrams of `family`; what is said of them an `EchoSocket` with `errors` hears. @throws NetlinkError */
export const openUdpSocket = (family: Family): UdpSocket => {
  const socket = openDatagramSocket(family, IPPROTO_UDP)
  return { send: (to, port) => socket.send(new Uint8Array(8), to, port), close: socket.close }
}

/** Whether `about` says that nothing listens on UDP `port` of `to`. */
export const isPortError = (about: IcmpError, to: Ip, port: number): boolean =>
  about.kind === 'port' &&
  about.protocol === IPPROTO_UDP &&
  about.dst === to &&
  (((about.head[2] ?? 0) << 8) | (about.head[3] ?? 0)) === port
