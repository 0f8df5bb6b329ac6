import { expect, test, vi } from 'vitest'
import { readIp } from '../addr/ip.ts'
import type { Claim, OwnLease } from '../overlay/claim.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import { parseNetConf } from '../overlay/net-conf.ts'
import { openAlarm } from './alarm.ts'
import { holdLease, untilRenewal } from './lease-task.ts'
import type { Log } from './log.ts'
import { LeaseLost, type LeaseStore, StoreError } from './store/store.ts'

const HOUR = 3_600_000
const own = (key: string, expires?: number): OwnLease => ({
  lease: { key, backendType: 'vxlan', data: {}, v6Data: {} },
  ...(expires === undefined ? {} : { expires }),
})

test.each([
  ['an hour before its end', 24 * HOUR, HOUR, 23 * HOUR],
  ['after half of a short one', HOUR, 2 * HOUR, HOUR / 2],
  ['at once when it is over', -HOUR, HOUR, 0],
])('untilRenewal(): %s', (_, term, margin, wait) => {
  expect(untilRenewal(own('a', 1000 + term), margin, 1000)).toBe(wait)
})

test('untilRenewal(): never of a lease without an end', () => {
  expect(untilRenewal(own('a'), HOUR, 0)).toBeUndefined()
})

const CONF = parseNetConf('{"Network": "10.244.0.0/16"}')
const OTHER = parseNetConf('{"Network": "10.9.0.0/16"}')
const LOG = { error: () => undefined } as unknown as Log
const ADDRESS = readIp('192.0.2.1')

/** Runs the task against answers of a store, in order, until they are used up. Returns what was asked and what came of it. */
const play = async (answers: readonly (OwnLease | Error)[], conf: (asked: number) => NetConf = () => CONF) => {
  const stop = new AbortController()
  const alarm = openAlarm()
  const said: string[] = []
  const left = [...answers]
  const answer = async (what: string): Promise<OwnLease> => {
    said.push(what)
    const next = left.shift()
    if (left.length === 0) stop.abort()
    if (next instanceof Error) throw next
    return next ?? own('none')
  }
  const store: LeaseStore = {
    readNetConf: async () => '',
    acquire: () => answer('acquire'),
    renew: ({ lease }) => answer(`renew ${lease.key}`),
    watch: async () => undefined,
    close: () => undefined,
  }
  await holdLease(
    {
      ...{ store, alarm, margin: HOUR, rest: 0, log: LOG },
      retry: {
        failed: async (error) => {
          said.push(`failed: ${error instanceof Error ? error.message : error}`)
        },
        worked: () => undefined,
      },
      wanted: () => ({ claim: { publicIP: ADDRESS } as Claim, conf: conf(said.length) }),
      onLease: ({ lease }) => {
        said.push(`lease ${lease.key}`)
        alarm.ring()
      },
      onLost: () => said.push('lost'),
    },
    stop.signal,
  )
  return said
}

test('holdLease() acquires, and renews when it is rung', async () => {
  expect(await play([own('a'), own('a')])).toEqual(['acquire', 'lease a', 'renew a', 'lease a'])
})

test('holdLease() tries again what failed, and keeps the lease', async () => {
  expect(await play([new StoreError('away'), own('a'), new StoreError('away'), own('a')])).toEqual([
    ...['acquire', 'failed: away', 'acquire', 'lease a'],
    ...['renew a', 'failed: away', 'renew a', 'lease a'],
  ])
})

test('holdLease() acquires another lease when its own is lost', async () => {
  expect(await play([own('a'), new LeaseLost('gone'), own('b')])).toEqual([
    ...['acquire', 'lease a', 'renew a', 'lost', 'acquire', 'lease b'],
  ])
})

test('holdLease() acquires anew for another network configuration', async () => {
  const conf = (asked: number) => (asked < 2 ? CONF : OTHER)
  expect(await play([own('a'), own('b')], conf)).toEqual(['acquire', 'lease a', 'acquire', 'lease b'])
})

test('holdLease() does not acquire in a store without a network configuration', async () => {
  const stop = new AbortController()
  const acquire = vi.fn()
  const store = {
    readNetConf: async () => {
      throw new StoreError('not mounted')
    },
    acquire,
  } as unknown as LeaseStore
  const failures: unknown[] = []
  await holdLease(
    {
      ...{ store, alarm: openAlarm(), margin: HOUR, rest: 0, log: LOG },
      retry: {
        failed: async (error) => {
          failures.push(error)
          stop.abort()
        },
        worked: () => undefined,
      },
      ...{ wanted: () => ({ claim: {} as Claim, conf: CONF }), onLease: () => undefined, onLost: () => undefined },
    },
    stop.signal,
  )
  expect([failures, acquire.mock.calls]).toEqual([[new StoreError('not mounted')], []])
})
