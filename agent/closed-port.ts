/** Whether peers' kernels take UDP datagrams in: one to a port where nothing listens must be refused (ICMP port unreachable),
 *  which any kernel does, but only after it has found the checksum right. RFC 1122 §4.1.3.1, §4.1.3.4. */
import { type Family, familyOf, type Ip } from '../addr/ip.ts'
import {
  type Echo,
  type EchoSocket,
  isPortError,
  openEchoSocket,
  openUdpSocket,
  type UdpSocket,
} from '../kernel/echo.ts'

/** `answered`: some peer refused a datagram. `silent`: none did, and of some every echo request was answered, so that packets
 *  do get there and back. `unclear`: not even that. */
export type Hearing = 'answered' | 'silent' | 'unclear'

export const TRIES = 3
/** A kernel sends one peer an error about once a second (net.ipv4.icmp_ratelimit). */
const TRY_MS = 1100
const LOOK_MS = 50
/** Where traceroute sends, too; another port in each try, since one may be in use. */
const PORT = 33434

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Line {
  readonly family: Family
  readonly echo: EchoSocket
  readonly udp: UdpSocket
}

const openLine = (family: Family): Line => {
  const echo = openEchoSocket(family, { errors: true })
  return { family, echo, udp: openUdpSocket(family) }
}

const sendAll = (lines: readonly Line[], peers: readonly Ip[], attempt: number): void => {
  for (const { family, echo, udp } of lines)
    for (const ip of peers.filter((peer) => familyOf(peer) === family)) {
      echo.send(ip, attempt)
      udp.send(ip, PORT + attempt)
    }
}

const isRefusal = (echo: Echo, peers: readonly Ip[]): boolean => {
  if (echo.kind !== 'error') return false
  const { about } = echo
  return peers.some((ip) =>
    Array.from({ length: TRIES }, (_, i) => PORT + i).some((port) => isPortError(about, ip, port)),
  )
}

/** Listens to the answers of one attempt. */
const hear = async (lines: readonly Line[], peers: readonly Ip[], attempt: number) => {
  const alive = new Set<Ip>()
  for (const end = performance.now() + TRY_MS; performance.now() < end; ) {
    await pause(LOOK_MS)
    const echoes = lines.flatMap(({ echo }) => echo.receive())
    if (echoes.some((echo) => isRefusal(echo, peers))) return { refused: true, alive }
    for (const echo of echoes) if (echo.kind === 'reply' && echo.seq === attempt) alive.add(echo.from)
  }
  return { refused: false, alive }
}

/** Asks `peers`, addresses on the overlay; takes 3.3 s when nobody answers. @throws NetlinkError */
export const askClosedPort = async (peers: readonly Ip[]): Promise<Hearing> => {
  const lines = [...new Set(peers.map(familyOf))].map(openLine)
  let steady: readonly Ip[] = peers
  try {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      sendAll(lines, peers, attempt)
      const { refused, alive } = await hear(lines, peers, attempt)
      if (refused) return 'answered'
      steady = steady.filter((ip) => alive.has(ip))
    }
    return steady.length > 0 ? 'silent' : 'unclear'
  } finally {
    for (const { echo, udp } of lines) for (const socket of [echo, udp]) socket.close()
  }
}
