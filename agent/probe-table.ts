/** Which address is probed when, and what came of it. It asks no clock and opens no socket: time is handed in, in
 *  milliseconds that only grow. */
import type { Ip } from '../addr/ip.ts'

/** How an address answers, or all addresses of a peer together. */
export interface Reachability {
  readonly isReachable: boolean
  /** Milliseconds there and back; left out when nothing came back. */
  readonly rtt?: number
  /** When the last probe was sent. */
  readonly at: number
  /** When a probe last came back. */
  readonly lastReachable?: number
}

/** How long an answer is waited for. */
export const PATIENCE_MS = 1000
/** A single probe may be lost: only when as many in a row were is an address called unreachable. */
export const TRIES = 3
/** Probes are sent and answers read in ticks, which costs half of doing it one by one (measured with 5,000 peers): answers
 *  carry the time at which the kernel took them in, so nobody has to wait for them. */
export const TICK_MS = 1000
/** New addresses probed in one tick at most. */
const NEW_PER_TICK = 100
const SEQS = 0x10000

interface Target {
  readonly ip: Ip
  result: Reachability | undefined
  /** When the last probe was sent, and its number while an answer is waited for. */
  sent: number
  seq: number | undefined
  misses: number
  /** Which of its entries on the wheel counts. */
  turn: number
}

interface Entry {
  readonly target: Target
  readonly turn: number
}

interface State {
  readonly intervalMs: number
  readonly random: () => number
  readonly peers: Map<string, readonly Target[]>
  /** By tick: whose turn it is. */
  readonly wheel: Map<number, Entry[]>
  readonly waiting: Map<number, Target>
  /** The last tick that was dealt with. */
  tick: number
  /** Where the next new address is put. */
  newTick: number
  lastSeq: number
}

export interface Probe {
  readonly ip: Ip
  /** u16. */
  readonly seq: number
}

export interface ProbeTable {
  /** From now on a peer is probed at these addresses. */
  readonly set: (key: string, ips: readonly Ip[], now: number) => void
  readonly remove: (key: string) => void
  /** What is to be sent now. */
  readonly due: (now: number) => readonly Probe[]
  /** When answers are to be read and `due` is to be asked again; undefined while there is nothing to probe. */
  readonly next: () => number | undefined
  /** An answer to probe `seq` came from `ip` at `at`. */
  readonly answered: (ip: Ip, seq: number, at: number) => void
  /** Of all of a peer's addresses: reachable when each is. Undefined before each was probed. */
  readonly result: (key: string) => Reachability | undefined
  readonly keys: () => readonly string[]
  /** Peers that have a result, and those that are reachable. */
  readonly counts: () => { readonly probed: number; readonly reachable: number }
}

const schedule = ({ wheel, tick }: State, target: Target, at: number): void => {
  const turn = Math.max(Math.ceil(at / TICK_MS), tick + 1)
  target.turn += 1
  const entry = { target, turn: target.turn }
  const others = wheel.get(turn)
  if (others === undefined) wheel.set(turn, [entry])
  else others.push(entry)
}

const scheduleNew = (state: State, target: Target, now: number): void => {
  state.newTick = Math.max(state.newTick, Math.ceil(now / TICK_MS), state.tick + 1)
  if ((state.wheel.get(state.newTick)?.length ?? 0) >= NEW_PER_TICK) state.newTick += 1
  schedule(state, target, state.newTick * TICK_MS)
}

/** The next probe of one that has a result: an interval later. The first time anywhere in it, which spreads those that came
 *  together. */
const scheduleNext = (state: State, target: Target, isFirst: boolean): void =>
  schedule(state, target, target.sent + state.intervalMs * (isFirst ? state.random() : 1))

const settle = (state: State, target: Target, result: Reachability): void => {
  const isFirst = target.result === undefined
  target.result = result
  scheduleNext(state, target, isFirst)
}

/** Nothing came back in time. Returns whether the probe is to be repeated. */
const missed = (state: State, target: Target): boolean => {
  if (target.seq !== undefined) state.waiting.delete(target.seq)
  target.seq = undefined
  target.misses += 1
  if (target.misses < TRIES) return true
  const { lastReachable } = target.result ?? {}
  settle(state, target, {
    isReachable: false,
    at: target.sent,
    ...(lastReachable === undefined ? {} : { lastReachable }),
  })
  return false
}

const freshSeq = (state: State): number => {
  do state.lastSeq = (state.lastSeq + 1) % SEQS
  while (state.waiting.has(state.lastSeq) && state.waiting.size < SEQS)
  return state.lastSeq
}

const send = (state: State, target: Target, now: number): Probe => {
  const seq = freshSeq(state)
  target.seq = seq
  target.sent = now
  state.waiting.set(seq, target)
  schedule(state, target, now + PATIENCE_MS)
  return { ip: target.ip, seq }
}

const dueOf = (state: State, now: number): Probe[] => {
  const probes: Probe[] = []
  const end = Math.floor(now / TICK_MS)
  const ticks = [...state.wheel.keys()].filter((tick) => tick <= end).toSorted((a, b) => a - b)
  state.tick = Math.max(state.tick, end)
  for (const tick of ticks) {
    const entries = state.wheel.get(tick) ?? []
    state.wheel.delete(tick)
    for (const { target, turn } of entries) {
      if (turn !== target.turn) continue
      if (target.seq === undefined || missed(state, target)) probes.push(send(state, target, now))
    }
  }
  return probes
}

const answered = (state: State, ip: Ip, seq: number, at: number): void => {
  const target = state.waiting.get(seq)
  if (target === undefined || target.ip !== ip) return
  state.waiting.delete(seq)
  target.seq = undefined
  target.misses = 0
  settle(state, target, { isReachable: true, rtt: Math.max(0, at - target.sent), at: target.sent, lastReachable: at })
}

const remove = (state: State, key: string): void => {
  for (const target of state.peers.get(key) ?? []) {
    target.turn = -1
    if (target.seq !== undefined) state.waiting.delete(target.seq)
  }
  state.peers.delete(key)
}

const set = (state: State, key: string, ips: readonly Ip[], now: number): void => {
  const before = state.peers.get(key)
  if (before !== undefined && before.map(({ ip }) => ip).join() === ips.join()) return
  remove(state, key)
  if (ips.length === 0) return
  const targets = ips.map((ip) => ({ ip, result: undefined, sent: 0, seq: undefined, misses: 0, turn: 0 }))
  state.peers.set(key, targets)
  for (const target of targets) scheduleNew(state, target, now)
}

const combine = (results: readonly Reachability[]): Reachability => {
  const isReachable = results.every((each) => each.isReachable)
  const seen = results.flatMap(({ lastReachable }) => lastReachable ?? [])
  return {
    isReachable,
    at: Math.max(...results.map(({ at }) => at)),
    ...(isReachable ? { rtt: Math.max(...results.map(({ rtt }) => rtt ?? 0)) } : {}),
    ...(seen.length < results.length ? {} : { lastReachable: Math.min(...seen) }),
  }
}

const resultOf = (targets: readonly Target[]): Reachability | undefined => {
  const results = targets.flatMap(({ result }) => result ?? [])
  return results.length < targets.length || results.length === 0 ? undefined : combine(results)
}

/** With answers to be read the next tick counts, too. */
const nextOf = ({ wheel, waiting, tick }: State): number | undefined =>
  wheel.size === 0 ? undefined : Math.min(...wheel.keys(), ...(waiting.size > 0 ? [tick + 1] : [])) * TICK_MS

const countsOf = ({ peers }: State): ReturnType<ProbeTable['counts']> => {
  const results = [...peers.values()].flatMap((targets) => resultOf(targets) ?? [])
  return { probed: results.length, reachable: results.filter(({ isReachable }) => isReachable).length }
}

/** Probes each address every `intervalMs`, spread over it. `random` is from 0 to below 1. */
export const makeProbeTable = (intervalMs: number, random: () => number = Math.random): ProbeTable => {
  const state: State = {
    ...{ intervalMs, random, peers: new Map(), wheel: new Map(), waiting: new Map() },
    ...{ tick: -1, newTick: 0, lastSeq: 0 },
  }
  return {
    set: (key, ips, now) => set(state, key, ips, now),
    remove: (key) => remove(state, key),
    due: (now) => dueOf(state, now),
    next: () => nextOf(state),
    answered: (ip, seq, at) => answered(state, ip, seq, at),
    result: (key) => resultOf(state.peers.get(key) ?? []),
    keys: () => [...state.peers.keys()],
    counts: () => countsOf(state),
  }
}
