/** ICMP and ICMPv6 as far as probes need them: echo, and errors about what was sent. RFC 792, RFC 4443, linux/icmp.h. */
import { type Family, type Ip, ipOf } from '../addr/ip.ts'
import { concat, u16, u32 } from '../netlink/message.ts'

const ECHO_REQUEST = { 4: 8, 6: 128 } as const
const ECHO_REPLY = { 4: 0, 6: 129 } as const
const UNREACHABLE = { 4: 3, 6: 1 } as const
const PACKET_TOO_BIG_V6 = 2
const CODE_PORT = { 4: 3, 6: 4 } as const
const CODE_FRAGMENTATION_NEEDED = 4
/** Codes that say somebody does not let packets pass: RFC 1812 §5.2.7.1, RFC 4443 §3.1. */
const CODES_PROHIBITED: { readonly [F in Family]: readonly number[] } = { 4: [9, 10, 13], 6: [1, 5, 6] }
const ICMP_SIZE = 8
const IPV6_SIZE = 40

export interface EchoReply {
  readonly kind: 'reply'
  readonly id: number
  readonly seq: number
}

/** Why a packet of ours did not arrive, as a router or the receiver says. */
export interface IcmpError {
  /** `port`: nothing listens there. `too-big`: longer than the path takes, which is `mtu` bytes (0: not said). `prohibited`:
   *  a firewall does not let it pass. */
  readonly kind: 'port' | 'too-big' | 'prohibited' | 'unreachable'
  readonly mtu: number
  /** Where the packet was sent, and its protocol. */
  readonly dst: Ip
  readonly protocol: number
  /** Its first 8 bytes after the IP header: the ports of UDP, id and seq of an echo. */
  readonly head: Uint8Array
}

export type IcmpMessage = EchoReply | IcmpError

/** RFC 1071 over `bytes`. */
const checksum = (bytes: Uint8Array): number => {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}

/** An echo request with `size` bytes of zeros behind its 8 bytes of header. Of ICMPv6 the kernel writes the checksum. */
export const echoRequest = (family: Family, id: number, seq: number, size = 0): Uint8Array => {
  const bytes = new Uint8Array(ICMP_SIZE + size)
  bytes.set([ECHO_REQUEST[family], 0, 0, 0, id >> 8, id, seq >> 8, seq])
  if (family === 6) return bytes
  const sum = checksum(bytes.subarray(0, ICMP_SIZE))
  bytes.set([sum >> 8, sum], 2)
  return bytes
}

const u16At = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

/** The packet that an error is about. */
const subjectOf = (family: Family, packet: Uint8Array) => {
  const size = family === 4 ? ((packet[0] ?? 0) & 0xf) * 4 : IPV6_SIZE
  if (packet.length < size + 8) return undefined
  const dst = ipOf(family === 4 ? packet.subarray(16, 20) : packet.subarray(24, 40))
  return { dst, protocol: packet[family === 4 ? 9 : 6] ?? 0, head: packet.slice(size, size + 8) }
}

const errorKind = (family: Family, type: number, code: number): IcmpError['kind'] | undefined => {
  if (family === 6 && type === PACKET_TOO_BIG_V6) return 'too-big'
  if (type !== UNREACHABLE[family]) return undefined
  if (family === 4 && code === CODE_FRAGMENTATION_NEEDED) return 'too-big'
  if (CODES_PROHIBITED[family].includes(code)) return 'prohibited'
  return code === CODE_PORT[family] ? 'port' : 'unreachable'
}

/** What a raw socket received, which of IPv4 begins with the IP header; undefined for what no probe asks about. */
export const decodeIcmp = (family: Family, received: Uint8Array): IcmpMessage | undefined => {
  const bytes = family === 4 ? received.subarray(((received[0] ?? 0) & 0xf) * 4) : received
  const type = bytes[0] ?? -1
  if (bytes.length < ICMP_SIZE) return undefined
  if (type === ECHO_REPLY[family]) return { kind: 'reply', id: u16At(bytes, 4), seq: u16At(bytes, 6) }
  const kind = errorKind(family, type, bytes[1] ?? 0)
  const subject = kind === undefined ? undefined : subjectOf(family, bytes.subarray(ICMP_SIZE))
  if (kind === undefined || subject === undefined) return undefined
  return { kind, mtu: kind === 'too-big' ? u16At(bytes, 6) : 0, ...subject }
}

/** struct sock_filter. linux/filter.h, linux/bpf_common.h. */
const instruction = (code: number, ifTrue: number, ifFalse: number, k: number): Uint8Array =>
  concat(u16(code), Uint8Array.of(ifTrue, ifFalse), u32(k))
const BPF_LDX_B_MSH = 0xb1
const BPF_LD_H_IND = 0x48
const BPF_LD_H_ABS = 0x28
const BPF_JEQ = 0x15
const BPF_RET = 0x06
const ALL = 0xffff

/** A program that lets messages through whose identifier is `id`: a raw socket hears the answers to everybody's requests. That
 *  of IPv4 sees the IP header, that of IPv6 does not. */
export const identifierFilter = (family: Family, id: number): Uint8Array =>
  concat(
    ...(family === 4
      ? [instruction(BPF_LDX_B_MSH, 0, 0, 0), instruction(BPF_LD_H_IND, 0, 0, 4)]
      : [instruction(BPF_LD_H_ABS, 0, 0, 4)]),
    instruction(BPF_JEQ, 0, 1, id),
    instruction(BPF_RET, 0, 0, ALL),
    instruction(BPF_RET, 0, 0, 0),
  )

/** The ICMP_FILTER or ICMP6_FILTER of a socket that hears echo replies, and, if asked, errors: a bit for each type that is
 *  kept out. linux/icmp.h, RFC 3542 §3.2. */
export const filterOf = (family: Family, errors: boolean): Uint8Array => {
  const about = family === 4 ? [UNREACHABLE[4]] : [UNREACHABLE[6], PACKET_TOO_BIG_V6]
  const wanted: readonly number[] = [ECHO_REPLY[family], ...(errors ? about : [])]
  const words = new Uint32Array(family === 4 ? 1 : 8).fill(0xffffffff)
  for (const type of wanted)
    if (type >> 5 < words.length) words[type >> 5] = (words[type >> 5] ?? 0) & ~(1 << (type & 31))
  return concat(new Uint8Array(words.buffer))
}
