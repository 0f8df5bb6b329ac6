import { expect, test } from 'vitest'
import type { Call, JsonObject, Verb } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { callOf } from '../../test/support/ipam.ts'
import { plugin } from './main.ts'

const add = (json: JsonObject, rest: Partial<Call> = {}): Result => {
  const call = callOf('ADD', 'c', json, rest)
  return plugin.add(plugin.parse(call), call)
}
const ips = (json: JsonObject, rest: Partial<Call> = {}) =>
  add(json, rest).ips?.map(({ address, gateway }) => (gateway === undefined ? address : `${address} via ${gateway}`))

const addresses = [{ address: '10.1.0.5/24', gateway: '10.1.0.1' }, { address: 'FD00::0005/64' }]
const configured = ['10.1.0.5/24 via 10.1.0.1', 'fd00::5/64']

test.each<readonly [string, JsonObject, Record<string, string>, readonly string[]]>([
  ['the configured ones', { ipam: { addresses } }, {}, configured],
  [
    'those of CNI_ARGS after the configured ones',
    { ipam: { addresses } },
    { IP: '10.2.0.5/24, fd01::5/64', GATEWAY: '10.2.0.1,fd01::1, 10.2.0.2' },
    [...configured, '10.2.0.5/24 via 10.2.0.2', 'fd01::5/64 via fd01::1'],
  ],
  [
    'no gateway of CNI_ARGS for a configured address',
    { ipam: { addresses: [{ address: '10.1.0.5/24' }] } },
    { GATEWAY: '10.1.0.1' },
    ['10.1.0.5/24'],
  ],
  [
    'those of args.cni in place of both',
    { ipam: { addresses }, args: { cni: { ips: ['10.3.0.5/24'] } } },
    { IP: '10.2.0.5/24', GATEWAY: '10.3.0.1' },
    ['10.3.0.5/24'],
  ],
  [
    'those of runtimeConfig in place of all',
    { ipam: { addresses }, args: { cni: { ips: ['10.3.0.5/24'] } }, runtimeConfig: { ips: ['10.4.0.5/24'] } },
    { IP: '10.2.0.5/24' },
    ['10.4.0.5/24'],
  ],
  ['none', { ipam: {} }, {}, []],
])('ADD gives %s', (_, json, args, expected) => {
  expect(ips(json, { args })).toEqual(expected)
})

test('ADD gives routes and DNS as configured, and leaves out what is not', () => {
  const dns = { nameservers: ['192.0.2.1'], domain: 'x.example', search: ['y.example'], options: ['ndots:5'] }
  const routes = [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400 }]
  expect(add({ ipam: { addresses: [], routes, dns } })).toEqual({ ips: [], routes, dns })
  expect(add({ ipam: { addresses: [] } })).toEqual({ ips: [] })
})

test.each<readonly [string, JsonObject, Record<string, string>, string]>([
  [
    'an address without a length',
    { ipam: { addresses: [{ address: '10.1.0.5' }] } },
    {},
    '$.ipam.addresses[0].address',
  ],
  [
    'a gateway of the other family',
    { ipam: { addresses: [{ address: '10.1.0.5/24', gateway: 'fd00::1' }] } },
    {},
    '$.ipam.addresses[0].gateway',
  ],
  [
    'a wrong gateway',
    { ipam: { addresses: [{ address: '10.1.0.5/24', gateway: '10.1' }] } },
    {},
    '$.ipam.addresses[0].gateway',
  ],
  ['a wrong IP of CNI_ARGS', { ipam: {} }, { IP: '10.1.0.5' }, 'CNI_ARGS IP'],
  ['an empty entry of CNI_ARGS', { ipam: {} }, { IP: '10.1.0.5/24,' }, 'CNI_ARGS IP'],
  ['a wrong GATEWAY of CNI_ARGS', { ipam: {} }, { IP: '10.1.0.5/24', GATEWAY: 'x' }, 'CNI_ARGS GATEWAY'],
  ['a wrong address of args.cni', { ipam: {}, args: { cni: { ips: ['x'] } } }, {}, '$.args.cni.ips[0]'],
  [
    'a wrong address of runtimeConfig',
    { ipam: {}, runtimeConfig: { ips: ['10.1.0.5/24', ''] } },
    {},
    '$.runtimeConfig.ips[1]',
  ],
  [
    'a wrong address that another list replaces',
    { ipam: { addresses: [{ address: 'x' }] }, runtimeConfig: { ips: ['10.1.0.5/24'] } },
    {},
    '$.ipam.addresses[0].address',
  ],
  ['a wrong route', { ipam: { routes: [{ dst: 'x' }] } }, {}, '$.ipam.routes[0].dst'],
  [
    'two addresses of a family before 0.3.0',
    { cniVersion: '0.2.0', ipam: {}, runtimeConfig: { ips: ['10.1.0.5/24', '10.1.0.6/24'] } },
    {},
    '$.cniVersion',
  ],
])('parse() refuses %s', (_, json, args, path) => {
  expect(() => add(json, { args })).toThrow(expect.objectContaining({ name: 'DecodeError', path }))
})

const routes = [{ dst: '192.0.2.0/24', gw: '10.1.0.1' }, { dst: '0.0.0.0/0' }]
const check = (change: (result: Result) => Result): void => {
  const json = { ipam: { addresses, routes } }
  const call = callOf('CHECK', 'c', json, { prevResult: change(add(json)) })
  plugin.check(plugin.parse(call), call)
}

test('CHECK passes for the result of ADD, and for one that others have added to', () => {
  check((result) => result)
  check(({ ips: own = [], routes: ways = [] }) => ({
    interfaces: [{ name: 'eth0' }],
    ips: [
      { address: '10.9.0.1/8' as never },
      ...own.map((ip) => ({ gateway: 'fd00::1' as never, ...ip, interface: 0 })),
    ],
    routes: [...ways.map((way) => ({ gw: '10.1.0.1' as never, ...way })), { dst: '10.0.0.0/8' as never }],
  }))
})

test.each<readonly [string, (result: Result) => Result, string]>([
  ['an address is missing', ({ ips: own = [], ...rest }) => ({ ...rest, ips: own.slice(1) }), 'address 10.1.0.5/24'],
  [
    'an address has another gateway',
    (result) => ({ ...result, ips: result.ips?.map((ip) => ({ ...ip, gateway: '10.1.0.9' as never })) ?? [] }),
    'with gateway 10.1.0.1',
  ],
  [
    'an address has another length',
    (result) => ({ ...result, ips: [{ address: '10.1.0.5/16' as never }] }),
    'address 10.1.0.5/24',
  ],
  ['a route is missing', (result) => ({ ...result, routes: result.routes?.slice(0, 1) ?? [] }), 'route to 0.0.0.0/0'],
  [
    'a route has another next hop',
    (result) => ({ ...result, routes: result.routes?.map((way) => ({ ...way, gw: '10.1.0.9' as never })) ?? [] }),
    'route to 192.0.2.0/24 by 10.1.0.1',
  ],
  ['everything is missing', () => ({}), 'route to 192.0.2.0/24'],
])('CHECK fails when %s', (_, change, found) => {
  expect(() => check(change)).toThrow(expect.objectContaining({ code: 100, message: expect.stringContaining(found) }))
})

test.each<Verb>(['DEL', 'GC'])('%s succeeds with a configuration that is wrong by now', (verb) => {
  const call = callOf(verb, 'c', { ipam: { addresses: [{ address: 'x' }] } })
  const conf = plugin.parse(call)
  expect(() => (verb === 'DEL' ? plugin.del : plugin.gc)(conf, call)).not.toThrow()
})

test('STATUS passes for a configuration that ADD would take, and refuses one it would not', () => {
  const status = (json: JsonObject) => {
    const call = callOf('STATUS', '', json)
    plugin.status(plugin.parse(call), call)
  }
  status({ ipam: { addresses } })
  expect(() => status({ ipam: { addresses: [{ address: 'x' }] } })).toThrow('$.ipam.addresses[0].address')
})

test('preview is the result of ADD, and touches no kernel', () => {
  const call = callOf('ADD', 'c', { ipam: { addresses } })
  expect(plugin.preview?.(plugin.parse(call), call)).toEqual({ plan: [], result: add({ ipam: { addresses } }) })
})
