import { expect, test } from 'vitest'
import type { Ip } from '../addr/ip.ts'
import { makeProbeTable, PATIENCE_MS, type ProbeTable, TICK_MS, TRIES } from './probe-table.ts'

const ip = (text: string) => text as Ip
const A = ip('10.5.1.0')
const B = ip('10.5.2.0')
const A6 = ip('fd00:0:0:1::')
const MINUTE = 60_000

/** Lets time pass from `from` to `to`; `answers` says after how many milliseconds a probe comes back, if it does. Returns
 *  what was sent, with its time. */
const pass = (table: ProbeTable, from: number, to: number, answers: (ip: Ip) => number | undefined) => {
  const sent: { readonly ip: Ip; readonly at: number }[] = []
  for (let now = from; now < to; now += TICK_MS) {
    for (const probe of table.due(now)) {
      sent.push({ ip: probe.ip, at: now })
      const rtt = answers(probe.ip)
      if (rtt !== undefined) table.answered(probe.ip, probe.seq, now + rtt)
    }
  }
  return sent
}

test('a peer has no result before it was probed, and is probed at once', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  expect([table.result('a'), table.next(), table.counts()]).toEqual([undefined, 0, { probed: 0, reachable: 0 }])
  expect(table.due(0).map((probe) => probe.ip)).toEqual([A])
})

test('a peer that answers is reachable, and probed once each interval', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  const sent = pass(table, 0, 10 * MINUTE, () => 1.5)
  expect(table.result('a')).toEqual({
    isReachable: true,
    rtt: 1.5,
    at: sent.at(-1)?.at,
    lastReachable: (sent.at(-1)?.at ?? 0) + 1.5,
  })
  expect(sent.length === 10 || sent.length === 11).toBe(true)
  const gaps = sent.slice(2).map(({ at }, i) => at - (sent[i + 1]?.at ?? 0))
  expect(new Set(gaps)).toEqual(new Set([MINUTE]))
})

test(`a peer is called unreachable after ${TRIES} probes in a row without an answer, not before`, () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  const limit = PATIENCE_MS * TRIES
  expect(pass(table, 0, limit, () => undefined)).toHaveLength(TRIES)
  expect(table.result('a')).toBeUndefined()
  pass(table, limit, limit + TICK_MS, () => undefined)
  expect(table.result('a')).toEqual({ isReachable: false, at: PATIENCE_MS * (TRIES - 1) })
})

test('a single lost probe changes nothing', () => {
  const table = makeProbeTable(MINUTE, () => 0.5)
  table.set('a', [A], 0)
  pass(table, 0, MINUTE / 4, () => 1)
  let probes = 0
  const sent = pass(table, MINUTE / 4, MINUTE, () => {
    probes += 1
    return probes === 1 ? undefined : 2
  })
  expect(sent.map(({ at }) => at)).toEqual([MINUTE / 2, MINUTE / 2 + PATIENCE_MS])
  expect(table.result('a')).toMatchObject({ isReachable: true, rtt: 2 })
})

test('a peer that stops answering keeps the time at which it last did, and one that answers again is reachable', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  pass(table, 0, MINUTE, () => 1)
  const { lastReachable } = table.result('a') ?? {}
  const silent = pass(table, MINUTE, 4 * MINUTE, () => undefined)
  expect(table.result('a')).toEqual({ isReachable: false, at: silent.at(-1)?.at, lastReachable })
  expect(silent.length).toBeLessThanOrEqual(TRIES + 3)
  pass(table, 4 * MINUTE, 6 * MINUTE, () => 1)
  expect(table.result('a')).toMatchObject({ isReachable: true })
})

test('a peer of two addresses is reachable when both are', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A, A6], 0)
  pass(table, 0, MINUTE, (to) => (to === A ? 1 : 3))
  expect(table.result('a')).toMatchObject({ isReachable: true, rtt: 3 })
  pass(table, MINUTE, 3 * MINUTE, (to) => (to === A ? 1 : undefined))
  expect(table.result('a')).toMatchObject({ isReachable: false })
  expect(table.counts()).toEqual({ probed: 1, reachable: 0 })
})

test('an answer from another address, to another probe or too late is none', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  const [probe] = table.due(0)
  table.answered(B, probe?.seq ?? 0, 1)
  table.answered(A, (probe?.seq ?? 0) + 1, 1)
  expect(table.result('a')).toBeUndefined()
  pass(table, TICK_MS, MINUTE / 2, () => undefined)
  table.answered(A, probe?.seq ?? 0, MINUTE / 2)
  expect(table.result('a')).toMatchObject({ isReachable: false })
})

test('a peer that is gone, or has other addresses, is not probed at the old ones', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  table.set('b', [A], 0)
  const [probe] = table.due(0)
  table.remove('a')
  table.set('b', [B], 0)
  table.answered(A, probe?.seq ?? 0, 1)
  expect([table.result('a'), table.result('b')]).toEqual([undefined, undefined])
  expect(new Set(pass(table, TICK_MS, 3 * MINUTE, () => 1).map((each) => each.ip))).toEqual(new Set([B]))
})

test('an answer is read at the next tick, not when its time is over', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  table.due(0)
  expect(table.next()).toBe(TICK_MS)
})

test('set() of what is known already leaves its result and its turn', () => {
  const table = makeProbeTable(MINUTE)
  table.set('a', [A], 0)
  pass(table, 0, TICK_MS * 2, () => 1)
  const before = [table.result('a'), table.next()]
  table.set('a', [A], TICK_MS * 2)
  expect([table.result('a'), table.next()]).toEqual(before)
})

test('5,000 peers that come at once are spread over the interval', () => {
  const table = makeProbeTable(MINUTE)
  for (let i = 0; i < 5000; i++) table.set(`${i}`, [ip(`10.${i >> 8}.${i & 255}.0`)], 0)
  const first = pass(table, 0, MINUTE, () => 1)
  expect(new Set(first.map((each) => each.ip)).size).toBe(5000)
  pass(table, MINUTE, 5 * MINUTE, () => 1)
  const minute = pass(table, 5 * MINUTE, 6 * MINUTE, () => 1)
  expect(minute).toHaveLength(5000)
  const perTick = new Map<number, number>()
  for (const { at } of minute) perTick.set(at, (perTick.get(at) ?? 0) + 1)
  expect(Math.max(...perTick.values())).toBeLessThan(150)
  expect(table.counts()).toEqual({ probed: 5000, reachable: 5000 })
})

test('with nobody to probe there is nothing to wait for', () => {
  const table = makeProbeTable(MINUTE)
  expect(table.next()).toBeUndefined()
  table.set('a', [A], 0)
  table.remove('a')
  pass(table, 0, TICK_MS * 2, () => 1)
  expect(table.next()).toBeUndefined()
})
