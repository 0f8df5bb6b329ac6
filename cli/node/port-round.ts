/** Datagrams to UDP ports of many addresses at once: what comes back says whether they get there. */
import { type Family, familyOf, type Ip } from '../../addr/ip.ts'
import {
  type Echo,
  type EchoSocket,
  isPortError,
  openEchoSocket,
  openUdpSocket,
  type UdpSocket,
} from '../../kernel/echo.ts'

export interface PortAsk {
  readonly ip: Ip
  readonly port: number
}

/** What became of datagrams to a port. `closed`: the peer's kernel says that nothing listens. `rejected`: somebody says that
 *  they may not pass. `blocked`: this node's own firewall does not let them out. `silent`: nothing came back, as of a port
 *  where a tunnel listens. */
export type PortAnswer = 'closed' | 'rejected' | 'blocked' | 'silent'

const TRIES = 2
const TRY_MS = 500
const LOOK_MS = 5
const EPERM = 1

interface Line {
  readonly family: Family
  readonly echo: EchoSocket
  readonly udp: UdpSocket
}

interface Round {
  readonly lines: readonly Line[]
  /** Those without an answer, by address. */
  readonly open: Map<Ip, PortAsk>
  readonly answers: Map<Ip, PortAnswer>
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const openLine = (family: Family): Line => ({
  family,
  echo: openEchoSocket(family, { errors: true }),
  udp: openUdpSocket(family),
})

const conclude = ({ open, answers }: Round, ip: Ip, answer: PortAnswer): void => {
  answers.set(ip, answer)
  open.delete(ip)
}

const read = (round: Round, echo: Echo): void => {
  if (echo.kind !== 'error') return
  const ask = round.open.get(echo.about.dst)
  if (ask === undefined) return
  if (isPortError(echo.about, ask.ip, ask.port)) conclude(round, ask.ip, 'closed')
  else if (echo.about.kind === 'prohibited') conclude(round, ask.ip, 'rejected')
}

const attempt = async (round: Round): Promise<void> => {
  const { lines, open } = round
  for (const { ip, port } of [...open.values()]) {
    const line = lines.find(({ family }) => family === familyOf(ip))
    if (line?.udp.send(ip, port) === EPERM) conclude(round, ip, 'blocked')
  }
  for (const end = performance.now() + TRY_MS; performance.now() < end && open.size > 0; await pause(LOOK_MS))
    for (const { echo } of lines) for (const each of echo.receive()) read(round, each)
}

/** One answer for each question, in order; an address is asked at one port. Takes up to a second. @throws NetlinkError EPERM
 *  without CAP_NET_RAW */
export const askPorts = async (asks: readonly PortAsk[]): Promise<readonly PortAnswer[]> => {
  const lines = [...new Set(asks.map(({ ip }) => familyOf(ip)))].map(openLine)
  const round: Round = { lines, open: new Map(asks.map((ask) => [ask.ip, ask])), answers: new Map() }
  try {
    for (let i = 0; i < TRIES && round.open.size > 0; i++) await attempt(round)
  } finally {
    for (const { echo, udp } of lines) for (const socket of [echo, udp]) socket.close()
  }
  return asks.map(({ ip }) => round.answers.get(ip) ?? 'silent')
}
