/** What a ping between two pods loses while something befalls them: printed, and judged. */
import { ok } from 'node:assert/strict'
import { untilReady } from '../support/agent.ts'
import { mustIn } from '../support/netns.ts'
import { type Loss, openPinger } from '../support/pinger.ts'
import { waitFor } from '../support/probe.ts'
import { say } from './case.ts'
import type { Member } from './cluster.bed.ts'

type Party = Pick<Member, 'node' | 'pod'>

/** Milliseconds until no answer means that none will come. */
const LONGEST = 30_000

/** What a ping from one pod to another loses while `happen` runs, and until it is answered again. */
const lossDuring = (from: Pick<Member, 'node' | 'pod'>, to: Pick<Member, 'pod'>, happen: () => void): Loss => {
  const ping = openPinger({ netns: from.node.netns, source: from.pod[4], to: to.pod[4], interval: 0.05 })
  const untilAnswered = (count: number): void => {
    const before = ping.answers()
    ok(
      waitFor(() => ping.answers() >= before + count, LONGEST),
      `no pod is heard after ${LONGEST} ms`,
    )
  }
  untilAnswered(5)
  happen()
  untilAnswered(5)
  return ping.end()
}

const tell = (what: string, { sent, lost, longest }: Loss): void =>
  say(`${what}: ${lost} of ${sent} packets lost, ${longest} ms at most between two answers`)

/** Nothing is lost but at most the packet whose answer was on its way at the end. */
export const requireNoLoss = (what: string, from: Party, to: Party, happen: () => void): void => {
  const loss = lossDuring(from, to, happen)
  tell(what, loss)
  ok(loss.lost <= 1, JSON.stringify(loss))
}

/** Milliseconds in which a software guest mends what was broken. */
const MENDED = 10_000

export const requireMended = (what: string, from: Party, to: Party, happen: () => void): void => {
  const loss = lossDuring(from, to, happen)
  tell(what, loss)
  ok(loss.longest < MENDED, JSON.stringify(loss))
}

/** The agent of `first` is killed and started again, then the devices of `second` are deleted. */
export const restartAndDelete = (backend: string, devices: readonly string[], first: Member, second: Member): void => {
  requireNoLoss(`${backend}, agent killed and started again`, first, second, () => {
    first.agent.end('SIGKILL')
    untilReady(first.restart(), ({ peers }) => peers.length > 0)
  })
  requireMended(`${backend}, device deleted`, first, second, () => {
    for (const dev of devices) mustIn(second.node.netns, ['ip', 'link', 'del', dev])
  })
}
