import { expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { callOf } from '../../test/support/ipam.ts'
import { type HostLocalConf, parseHostLocalConf } from './conf.ts'
import { assignRequests, chooseAll, exhaustion, resultOf } from './plan.ts'

const confOf = (...ips: readonly string[]): HostLocalConf =>
  parseHostLocalConf(
    callOf('ADD', 'c', {
      ipam: {
        ranges: [[{ subnet: '10.1.0.0/29' }, { subnet: '10.2.0.0/29' }], [{ subnet: 'fd00::/64' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
      runtimeConfig: { ips },
    }),
  )

test('assignRequests() gives each address to the set it is in', () => {
  const choices = assignRequests(confOf('fd00::5', '10.2.0.3'))
  expect(choices.map((choice) => [choice?.address, choice?.range.subnet])).toEqual([
    ['10.2.0.3', '10.2.0.0/29'],
    ['fd00::5', 'fd00::/64'],
  ])
  expect(assignRequests(confOf('fd00::5'))[0]).toBeUndefined()
})

test.each([
  ['in no set', ['10.9.0.1'], '10.9.0.1'],
  ['two of one set', ['10.1.0.3', '10.2.0.3'], '10.2.0.3'],
  ['the gateway', ['10.1.0.1'], 'is the gateway of 10.1.0.0/29'],
  ['the broadcast address, outside the range', ['10.1.0.7'], '10.1.0.7'],
] as const)('assignRequests() refuses %s', (_, ips, found) => {
  expect(() => assignRequests(confOf(...ips))).toThrow(
    expect.objectContaining({ code: 7, message: expect.stringContaining(found) }),
  )
})

test('chooseAll() takes what was asked for, and the next of the others', () => {
  const conf = confOf('10.1.0.5')
  const last = (set: number) => (set === 1 ? parseIp('fd00::9') : undefined)
  const chosen = chooseAll(conf.sets, assignRequests(conf), last, (from) => from)
  expect(chosen.map((choice) => choice?.address)).toEqual(['10.1.0.5', 'fd00::a'])
  expect(chooseAll(conf.sets, [], last, (from, _, family) => (family === 6 ? from : undefined))[0]).toBeUndefined()
})

test('resultOf() states each address with the length and the gateway of its range', () => {
  const conf = confOf('10.2.0.3')
  const chosen = chooseAll(
    conf.sets,
    assignRequests(conf),
    () => undefined,
    (from) => from,
  )
  const choices = chosen.flatMap((choice) => choice ?? [])
  expect(resultOf(conf, choices, undefined)).toEqual({
    ips: [
      { address: '10.2.0.3/29', gateway: '10.2.0.1' },
      { address: 'fd00::2/64', gateway: 'fd00::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }],
  })
  expect(resultOf({ ...conf, routes: [] }, choices, { domain: 'x' })).toMatchObject({ dns: { domain: 'x' } })
  expect(resultOf({ ...conf, routes: [] }, choices, undefined)).not.toHaveProperty('routes')
})

test('exhaustion() names the ranges and counts what they hold', () => {
  const error = exhaustion(confOf().sets[0] ?? [], 0, '/data/pods')
  expect(error.code).toBe(101)
  expect(error.message).toContain('range set 0 (10.1.0.1-10.1.0.6, 10.2.0.1-10.2.0.6): all 10')
  expect(error.details).toContain('"/data/pods"')
})
