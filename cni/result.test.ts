/** Results through `encode.ts` and `decode.ts`: every version, up and down. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressOf, type Cidr, cidrFamily, cidrOf } from '../addr/cidr.ts'
import { DecodeError } from '../addr/error.ts'
import { ipOf } from '../addr/ip.ts'
import { parseResult } from './decode.ts'
import { resultIn } from './encode.ts'
import type { Json } from './plugin.ts'
import type { Interface, Result } from './result.ts'
import { VERSIONS, type Version } from './version.ts'

const through = (version: Version, result: Result): Result =>
  parseResult(JSON.parse(JSON.stringify(resultIn(version, result))), version, '$')

const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ipOf(bytes))
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
  bytes[0] = 0xfd
  return ipOf(bytes)
})
const cidr = fc
  .oneof(fc.tuple(ip4, fc.integer({ min: 0, max: 32 })), fc.tuple(ip6, fc.integer({ min: 0, max: 128 })))
  .map(([address, length]) => cidrOf(address, length))
const ip = fc.oneof(ip4, ip6)
const name = fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/)
const uint = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const keep = { requiredKeys: [] as [] }
const text = fc.string({ minLength: 1 })

const iface = fc.record(
  { name, mac: text, mtu: fc.integer({ min: 1, max: 65535 }), sandbox: text, socketPath: text, pciID: text },
  { requiredKeys: ['name'] },
)
const ipConfig = fc.record({ address: cidr, gateway: ip, interface: fc.nat(5) }, { requiredKeys: ['address'] })
const route = fc.record(
  { dst: cidr, gw: ip, mtu: uint, advmss: uint, priority: uint, table: uint, scope: uint },
  { requiredKeys: ['dst'] },
)
const dns = fc
  .record({ nameservers: fc.array(text), domain: text, search: fc.array(text), options: fc.array(text) }, keep)
  .filter((some) => JSON.stringify(resultIn('1.1.0', { dns: some })).includes('dns'))
const result: fc.Arbitrary<Result> = fc.record(
  { interfaces: fc.array(iface), ips: fc.array(ipConfig), routes: fc.array(route), dns },
  keep,
)

test.each(['1.0.0', '1.1.0'] as const)('a result comes back from %s as it went', (version) => {
  fc.assert(
    fc.property(result, (r) => {
      expect(through(version, r)).toEqual(r)
    }),
  )
})

const oldInterface = ({ name, mac, sandbox }: Interface): Interface => ({
  name,
  ...(mac === undefined ? {} : { mac }),
  ...(sandbox === undefined ? {} : { sandbox }),
})

test.each(['0.3.0', '0.3.1', '0.4.0'] as const)(
  'a result comes back from %s without mtu, socketPath and pciID',
  (version) => {
    fc.assert(
      fc.property(result, (r) => {
        const { interfaces } = r
        expect(through(version, r)).toEqual(
          interfaces === undefined ? r : { ...r, interfaces: interfaces.map(oldInterface) },
        )
      }),
    )
  },
)

/** What 0.2.0 can say: the first address of each family, and the destinations and next hops of families with one. */
const oldest = ({ ips = [], routes = [], dns: names }: Result): Result => {
  const firsts = ([4, 6] as const).flatMap((family) => ips.find(({ address }) => cidrFamily(address) === family) ?? [])
  const families = firsts.map(({ address }) => cidrFamily(address))
  const own = families.flatMap((family) => routes.filter(({ dst }) => cidrFamily(dst) === family))
  return {
    ips: firsts.map(({ address, gateway }) => (gateway === undefined ? { address } : { address, gateway })),
    routes: own.map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw })),
    ...(names === undefined ? {} : { dns: names }),
  }
}

test.each(['0.1.0', '0.2.0'] as const)('a result comes back from %s with an address of each family', (version) => {
  const withIp = result.filter(({ ips = [] }) => ips.length > 0)
  fc.assert(
    fc.property(withIp, (r) => {
      expect(through(version, r)).toEqual(oldest(r))
    }),
  )
})

test.each(VERSIONS)('what was said once in %s is said the same a second time', (version) => {
  const withIp = result.filter(({ ips = [] }) => ips.length > 0)
  fc.assert(
    fc.property(withIp, (r) => {
      const once = through(version, r)
      expect(through(version, once)).toEqual(once)
    }),
  )
})

test.each(['0.1.0', '0.2.0'] as const)('resultIn() %s refuses a result without an address', (version) =>
  expect(() => resultIn(version, { interfaces: [{ name: 'eth0' }] })).toThrow(
    expect.objectContaining({ code: 1, message: expect.stringContaining(`version ${version}`) }),
  ),
)

const c = (text: string): Cidr => text as Cidr
const sample: Result = {
  interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, sandbox: '/run/netns/a' }],
  ips: [
    { address: c('10.1.0.5/16'), gateway: addressOf(c('10.1.0.1/16')), interface: 0 },
    { address: c('fd00::5/64'), interface: 0 },
  ],
  routes: [{ dst: c('0.0.0.0/0'), gw: addressOf(c('10.1.0.1/16')), mtu: 1400 }],
  dns: { nameservers: ['10.1.0.1'] },
}

const IN_VERSIONS: readonly [readonly Version[], object][] = [
  [
    ['0.1.0', '0.2.0'],
    {
      ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }] },
      ip6: { ip: 'fd00::5/64' },
      dns: { nameservers: ['10.1.0.1'] },
    },
  ],
  [
    ['0.3.0', '0.3.1', '0.4.0'],
    {
      interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/a' }],
      ips: [
        { version: '4', address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 0 },
        { version: '6', address: 'fd00::5/64', interface: 0 },
      ],
      routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400 }],
      dns: { nameservers: ['10.1.0.1'] },
    },
  ],
  [['1.0.0', '1.1.0'], sample],
]

test.each(IN_VERSIONS.flatMap(([versions, shape]) => versions.map((version) => [version, shape] as const)))(
  'resultIn() %s has the shape of the specification',
  (version, shape) =>
    expect(JSON.parse(JSON.stringify(resultIn(version, sample)))).toEqual({ cniVersion: version, ...shape }),
)

test('resultIn() leaves out an empty dns', () =>
  expect(JSON.stringify(resultIn('1.1.0', { dns: { nameservers: [], domain: '' } }))).toBe('{"cniVersion":"1.1.0"}'))

test.each<[string, Json, Result]>([
  ['an empty object', {}, {}],
  ['null members', { interfaces: null, ips: null, routes: null, dns: null }, {}],
  ['keys in any case', { IPs: [{ Address: '10.0.0.1/8', GATEWAY: '' }] }, { ips: [{ address: c('10.0.0.1/8') }] }],
  ['unknown keys', { ips: [], extra: { a: 1 } }, { ips: [] }],
  [
    'an IPAM answer without interfaces',
    { ips: [{ address: 'FD00:0::1/64' }] },
    { ips: [{ address: c('fd00::1/64') }] },
  ],
])('parseResult() reads %s', (_, json, expected) => expect(parseResult(json, '1.1.0', '$')).toEqual(expected))

test('parseResult() takes the shape from the result itself before the configuration', () => {
  const json = { cniVersion: '0.2.0', ip4: { ip: '10.0.0.1/8' } }
  expect(parseResult(json, '1.1.0', '$').ips).toEqual([{ address: '10.0.0.1/8' }])
  expect(parseResult({ ip4: { ip: '10.0.0.1/8' } }, '0.2.0', '$').ips).toEqual([{ address: '10.0.0.1/8' }])
})

test.each<[string, Json, Version?]>([
  ['$', 'text'],
  ['$', []],
  ['$.cniVersion', { cniVersion: '9.9.9' }],
  ['$.cniVersion', { cniVersion: 1 }],
  ['$.interfaces', { interfaces: {} }],
  ['$.interfaces[0]', { interfaces: ['eth0'] }],
  ['$.interfaces[1].name', { interfaces: [{}, { name: 7 }] }],
  ['$.interfaces[0].mtu', { interfaces: [{ mtu: -1 }] }],
  ['$.interfaces[0].mtu', { interfaces: [{ mtu: 1.5 }] }],
  ['$.ips[0]', { ips: [null] }],
  ['$.ips[0].address', { ips: [{}] }],
  ['$.ips[0].address', { ips: [{ address: '10.0.0.1' }] }],
  ['$.ips[0].address', { ips: [{ address: '10.0.0.1/33' }] }],
  ['$.ips[0].gateway', { ips: [{ address: '10.0.0.1/8', gateway: '10.0.0.0/8' }] }],
  ['$.ips[0].interface', { ips: [{ address: '10.0.0.1/8', interface: '0' }] }],
  ['$.ips[0].interface', { ips: [{ address: '10.0.0.1/8', interface: -1 }] }],
  ['$.routes[0].dst', { routes: [{ gw: '10.0.0.1' }] }],
  ['$.routes[0].table', { routes: [{ dst: '::/0', table: 'main' }] }],
  ['$.dns.search[1]', { dns: { search: ['a', 1] } }],
  ['$.ip4.ip', { ip4: {} }, '0.2.0'],
  ['$.ip6.routes[0].gw', { ip6: { ip: '::1/128', routes: [{ dst: '::/0', gw: 'x' }] } }, '0.1.0'],
])('parseResult() refuses a wrong %s: %j', (path, json, version = '1.1.0') =>
  expect(() => parseResult(json, version, '$')).toThrow(expect.objectContaining({ name: 'DecodeError', path })),
)

test('parseResult() of any JSON is a result or a DecodeError', () => {
  const keys = fc.constantFrom('interfaces', 'ips', 'routes', 'dns', 'ip4', 'address', 'ip', 'cniVersion')
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.array(tie('value')), fc.dictionary(keys, tie('value'))),
  })).value
  fc.assert(
    fc.property(json, fc.constantFrom(...VERSIONS), (value, version) => {
      try {
        expect(parseResult(value as Json, version, '$')).toBeTypeOf('object')
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }),
    { numRuns: 200 },
  )
})
