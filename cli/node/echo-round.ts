/** Echo requests to many addresses at once. */
import { type Family, familyOf, type Ip } from '../../addr/ip.ts'
import { type EchoSocket, openEchoSocket } from '../../kernel/echo.ts'

export interface EchoAsk {
  readonly ip: Ip
  /** Length of the whole IP packet, bytes. */
  readonly length: number
}

export interface EchoAnswer {
  /** Milliseconds; left out when nothing came back. */
  readonly rtt?: number
  /** With which the kernel refused to send; 0: it did not. */
  readonly errno: number
}

const HEADERS = { 4: 28, 6: 48 } as const
export const SMALLEST = { 4: 28 + 56, 6: 48 + 56 } as const
const TRIES = 3
const TRY_MS = 500
const LOOK_MS = 5
/** Sent before answers are looked at. */
const BURST = 100

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Waiting {
  readonly ask: EchoAsk
  rtt: number | undefined
  errno: number
  /** When each request was sent, by its number. */
  readonly sent: Map<number, number>
}

interface Round {
  readonly waiting: readonly Waiting[]
  readonly bySeq: Map<number, Waiting>
  readonly sockets: ReadonlyMap<Family, EchoSocket>
  seq: number
}

const openSockets = (ips: readonly Ip[], unfragmented: boolean): ReadonlyMap<Family, EchoSocket> =>
  new Map([...new Set(ips.map(familyOf))].map((family) => [family, openEchoSocket(family, { unfragmented })]))

const take = ({ sockets, bySeq }: Round): void => {
  for (const socket of sockets.values())
    for (const echo of socket.receive()) {
      const found = echo.kind === 'reply' ? bySeq.get(echo.seq) : undefined
      if (echo.kind !== 'reply' || found === undefined || found.ask.ip !== echo.from) continue
      found.rtt ??= Math.max(0, echo.at - (found.sent.get(echo.seq) ?? echo.at))
    }
}

const sendTo = (round: Round, each: Waiting): void => {
  const family = familyOf(each.ask.ip)
  round.seq = (round.seq + 1) & 0xffff
  round.bySeq.set(round.seq, each)
  each.sent.set(round.seq, performance.now())
  const size = Math.max(0, each.ask.length - HEADERS[family])
  each.errno = round.sockets.get(family)?.send(each.ask.ip, round.seq, size) ?? 0
}

const missing = ({ waiting }: Round): readonly Waiting[] =>
  waiting.filter(({ rtt, errno }) => rtt === undefined && errno === 0)

const attempt = async (round: Round): Promise<void> => {
  for (const [i, each] of missing(round).entries()) {
    sendTo(round, each)
    if (i % BURST !== BURST - 1) continue
    await pause(LOOK_MS)
    take(round)
  }
  for (const end = performance.now() + TRY_MS; performance.now() < end && missing(round).length > 0; ) {
    await pause(LOOK_MS)
    take(round)
  }
}

/** One answer for each question, in order. Each is asked up to three times, within 1.5 s. With `unfragmented` a
 *  packet arrives whole or not at all. @throws NetlinkError EPERM without CAP_NET_RAW */
export const askEchoes = async (asks: readonly EchoAsk[], unfragmented = false): Promise<readonly EchoAnswer[]> => {
  const sockets = openSockets(
    asks.map(({ ip }) => ip),
    unfragmented,
  )
  const waiting = asks.map((ask): Waiting => ({ ask, rtt: undefined, errno: 0, sent: new Map() }))
  const round: Round = { waiting, bySeq: new Map(), sockets, seq: 0 }
  try {
    for (let i = 0; i < TRIES && missing(round).length > 0; i++) await attempt(round)
  } finally {
    for (const socket of sockets.values()) socket.close()
  }
  return waiting.map(({ rtt, errno }) => ({ errno, ...(rtt === undefined ? {} : { rtt }) }))
}
