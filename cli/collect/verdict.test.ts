import { expect, test } from 'vitest'
import type { Ip } from '../../addr/ip.ts'
import type { CacheEntry } from '../runtime/result-cache.ts'
import type { Namespaces } from './namespaces.ts'
import type { Found } from './traces.ts'
import { isKept, judge, type Rules } from './verdict.ts'

const cached = (netns: string): CacheEntry => ({
  ...{ network: 'pods', containerID: 'c', ifName: 'eth0', config: '', netns },
  ...{ args: [], capabilities: {}, result: undefined },
})
const NOW = 1_000_000
const reserved = (address: string, age: number) => [
  { containerID: 'c', ifName: 'eth0', address: address as Ip, since: NOW - age },
]
const namespaces: Namespaces = {
  lives: (path) => path === '/run/netns/alive',
  addresses: new Set(['10.0.0.2' as Ip]),
}
const found = (more: Partial<Found>): Found => ({
  ...{ containerID: 'c', ifName: 'eth0', cached: undefined, reservations: [], hasInterface: false },
  ...more,
})
const rules = (from: Rules['from']): Rules => ({ from, grace: 60_000, now: NOW })

const OLD = 3_600_000
const cases: readonly (readonly [string, Partial<Found>, cache: string, netns: string])[] = [
  ['cached, its namespace lives', { cached: cached('/run/netns/alive') }, 'live', 'live'],
  ['cached, its namespace is gone', { cached: cached('/run/netns/dead') }, 'stale', 'stale'],
  ['cached without a namespace', { cached: cached('') }, 'live', 'live'],
  ['cached with a dead path, but its interface is there', { cached: cached('/x'), hasInterface: true }, 'live', 'live'],
  ['only an interface', { hasInterface: true }, 'unlisted', 'live'],
  ['only an address in use', { reservations: reserved('10.0.0.2', OLD) }, 'unlisted', 'live'],
  ['only an address nobody uses', { reservations: reserved('10.0.0.3', OLD) }, 'stale', 'stale'],
  ['an address reserved just now', { reservations: reserved('10.0.0.3', 1000) }, 'new', 'new'],
  [
    'one old address, one new',
    { reservations: [...reserved('10.0.0.3', OLD), ...reserved('fd00::3', 10)] },
    'new',
    'new',
  ],
  [
    'cached and dead, reserved just now',
    { cached: cached('/x'), reservations: reserved('10.0.0.3', 1) },
    'stale',
    'stale',
  ],
]

test.each(cases)('judge() of an attachment that is %s', (_, traces, byCache, byNetns) => {
  expect(judge(found(traces), namespaces, rules('cache')).state).toBe(byCache)
  expect(judge(found(traces), namespaces, rules('netns')).state).toBe(byNetns)
})

test('judge() takes a reservation from the future (the clock was set back) for new', () => {
  expect(judge(found({ reservations: reserved('10.0.0.3', -OLD) }), namespaces, rules('cache')).state).toBe('new')
})

test.each([
  ['live', true, true],
  ['new', true, true],
  ['unlisted', true, false],
  ['stale', false, false],
] as const)('isKept() of %s: %s, with force %s', (state, kept, forced) => {
  const verdict = { found: found({}), state, why: '' }
  expect([isKept(verdict, false), isKept(verdict, true)]).toEqual([kept, forced])
})
