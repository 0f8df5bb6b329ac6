import { expect, test } from 'vitest'
import type { Call, JsonObject, Verb } from '../../cni/plugin.ts'
import { callOf } from '../../test/support/ipam.ts'
import { parseHostLocalConf } from './conf.ts'
import { renderSet } from './range.ts'

const parse = (json: JsonObject, rest: Partial<Call> = {}, verb: Verb = 'ADD') =>
  parseHostLocalConf(callOf(verb, 'c', json, rest))

const subnet = '10.1.0.0/24'
const v6 = 'fd00::/64'

test('parseHostLocalConf() orders the sets: the runtime, the single range, the list', () => {
  const conf = parse({
    ipam: {
      subnet,
      rangeStart: '10.1.0.9',
      ranges: [[{ subnet: '10.2.0.0/30' }, { subnet: '10.3.0.0/30' }], [{ subnet: v6 }]],
    },
    runtimeConfig: { ipRanges: [[{ subnet: '10.4.0.0/30' }]] },
  })
  expect(conf.sets.map(renderSet)).toEqual([
    '10.4.0.1-10.4.0.2',
    '10.1.0.9-10.1.0.254',
    '10.2.0.1-10.2.0.2, 10.3.0.1-10.3.0.2',
    'fd00::1-fd00::ffff:ffff:ffff:ffff',
  ])
})

test('parseHostLocalConf() defaults to the folder of upstream, no routes, no name servers', () => {
  expect(parse({ ipam: { subnet } })).toMatchObject({
    dataDir: '/var/lib/cni/networks',
    resolvConf: '',
    routes: [],
    requests: [],
  })
  expect(parse({ ipam: { subnet, dataDir: '' } }).dataDir).toBe('/var/lib/cni/networks')
})

test('parseHostLocalConf() reads every attribute of a route', () => {
  const route = { dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 5, table: 100, scope: 253 }
  expect(parse({ ipam: { subnet, routes: [route, { dst: v6, gw: '' }] } }).routes).toEqual([route, { dst: v6 }])
})

test('parseHostLocalConf() joins the addresses asked for, each once, with or without a prefix length', () => {
  const conf = parse(
    {
      ipam: { subnet },
      args: { cni: { ips: ['10.1.0.6/24', 'FD00::0006'] } },
      runtimeConfig: { ips: ['10.1.0.7', '10.1.0.5'] },
    },
    { args: { IP: '10.1.0.5' } },
  )
  expect(conf.requests).toEqual(['10.1.0.5', '10.1.0.6', 'fd00::6', '10.1.0.7'])
})

test.each([
  ['no range', { ipam: {} }, '$.ipam.ranges'],
  ['an empty list of ranges', { ipam: { ranges: [] } }, '$.ipam.ranges'],
  ['an empty set', { ipam: { ranges: [[]] } }, '$.ipam.ranges[0]'],
  ['a wrong subnet', { ipam: { ranges: [[{ subnet: '10.1.0.0/33' }]] } }, '$.ipam.ranges[0][0].subnet'],
  ['a wrong single subnet', { ipam: { subnet: 'x' } }, '$.ipam.subnet'],
  ['an overlap with the runtime', { ipam: { subnet }, runtimeConfig: { ipRanges: [[{ subnet }]] } }, '$.ipam'],
  ['a wrong route', { ipam: { subnet, routes: [{ dst: '10.0.0.0' }] } }, '$.ipam.routes[0].dst'],
  ['a wrong next hop', { ipam: { subnet, routes: [{ dst: '10.0.0.0/8', gw: 'x' }] } }, '$.ipam.routes[0].gw'],
  ['a wrong address of args', { ipam: { subnet }, args: { cni: { ips: ['x'] } } }, '$.args.cni.ips[0]'],
  ['a wrong address of the runtime', { ipam: { subnet }, runtimeConfig: { ips: [''] } }, '$.runtimeConfig.ips[0]'],
  ['NUL in a path', { ipam: { subnet, dataDir: '/a\0b' } }, '$.ipam.dataDir'],
  [
    'two sets of a family before 0.3.0',
    { cniVersion: '0.2.0', ipam: { subnet, ranges: [[{ subnet: '10.2.0.0/24' }]] } },
    '$.cniVersion',
  ],
] as const)('parseHostLocalConf() refuses %s at %s', (_, json, path) => {
  expect(() => parse(json as JsonObject)).toThrow(expect.objectContaining({ name: 'DecodeError', path }))
})

test('parseHostLocalConf() refuses a wrong IP of CNI_ARGS, naming it', () => {
  expect(() => parse({ ipam: { subnet } }, { args: { IP: '10.1.0.5,10.1.0.6' } })).toThrow('CNI_ARGS IP')
})

test('parseHostLocalConf() takes one set of each family before 0.3.0', () => {
  expect(parse({ cniVersion: '0.1.0', ipam: { subnet, ranges: [[{ subnet: v6 }]] } }).sets).toHaveLength(2)
})

test.each(['DEL', 'GC'] as const)('parseHostLocalConf() releases on %s whatever the ranges have become', (verb) => {
  const conf = parse({ ipam: { dataDir: '/d', subnet: 'nonsense', ranges: [[]], resolvConf: '\0' } }, {}, verb)
  expect(conf).toEqual({ dataDir: '/d', resolvConf: '', routes: [], sets: [], requests: [] })
})
