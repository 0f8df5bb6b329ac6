/** Run inside a namespace: carries frames between two links of it as bytes, so that a checksum which a sender left to its
 *  hardware is never computed; that of VXLAN's own UDP header is taken away, which is as good as right. So does a network
 *  card behave that promises checksums inside a tunnel and computes the outer one alone. Prints a line when it carries. */
import { addon } from '../../native/addon.ts'

const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0x800
/** ETH_P_ALL in network byte order. */
const ALL = 0x0300

const { syscall, numbers, watch, rearm, socketOpen } = addon()
const call = (name: string, ...args: readonly (number | Uint8Array)[]): number => syscall(numbers[name] ?? -1, ...args)

/** A packet socket bound to a link. linux/if_packet.h struct sockaddr_ll. */
const openLink = (index: number): number => {
  const fd = socketOpen(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, ALL, -1)
  const address = new Uint8Array(20)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, ALL, true)
  view.setInt32(4, index, true)
  if (call('bind', fd, address, address.length) !== 0) throw new Error(`link ${index} cannot be bound`)
  return fd
}

/** Offsets into a frame of Ethernet and IPv4. */
const [ETHERTYPE, PROTOCOL, UDP_PORT, UDP_CHECKSUM] = [12, 23, 36, 40]

const forgetOuterChecksum = (frame: Uint8Array): void => {
  const view = new DataView(frame.buffer)
  const isUdp = view.getUint16(ETHERTYPE) === 0x0800 && frame[PROTOCOL] === 17
  if (isUdp && view.getUint16(UDP_PORT) === 8472) view.setUint16(UDP_CHECKSUM, 0)
}

const carry = (from: number, to: number): void => {
  const frame = new Uint8Array(1 << 16)
  const handle = watch(from, () => {
    for (
      let length = call('read', from, frame, frame.length);
      length > 0;
      length = call('read', from, frame, frame.length)
    ) {
      forgetOuterChecksum(frame)
      call('write', to, frame, length)
    }
    rearm(handle)
  })
}

const [left = 0, right = 0] = process.argv.slice(2).map((index) => openLink(Number(index)))
carry(left, right)
carry(right, left)
console.log('carrying')
setInterval(() => undefined, 60_000)
