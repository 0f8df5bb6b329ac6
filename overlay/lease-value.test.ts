import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import type { Ip } from '../addr/ip.ts'
import { readMac } from '../addr/mac.ts'
import type { Json } from '../cni/plugin.ts'
import type { LeaseAttributes } from './lease.ts'
import { decodeAttributes, decodeLease, encodeLease } from './lease-value.ts'

const ip = (text: string) => text as Ip
const mac = (text: string) => readMac(text) ?? expect.fail(text)
const KEY = '6nbm/LPphR6LHFtl8bLbTAqBGWeMdA0Bs/KGIyFuvV4='

/** What flanneld writes, to the byte: encoding/json of pkg/lease/lease.go `LeaseAttrs` with the backend's data. The second is
 *  that of flannel pkg/subnet/etcd/registry_test.go; the form of vxlan's data stands in pkg/subnet/kube/kube.go
 *  (`{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}`). */
const WRITTEN: readonly (readonly [name: string, text: string, attributes: LeaseAttributes])[] = [
  [
    'vxlan',
    '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}}',
    {
      publicIP: ip('192.0.2.1'),
      backendType: 'vxlan',
      data: { vni: 1, vtepMac: mac('12:c6:65:89:b4:e3') },
      v6Data: {},
    },
  ],
  [
    'a lease without a backend',
    '{"PublicIP":"1.2.3.4","PublicIPv6":null}',
    { publicIP: ip('1.2.3.4'), backendType: '', data: {}, v6Data: {} },
  ],
  [
    'vxlan of both families',
    '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"},"BackendV6Data":{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e4"}}',
    {
      publicIP: ip('192.0.2.1'),
      publicIPv6: ip('2001:db8::1'),
      backendType: 'vxlan',
      data: { vni: 1, vtepMac: mac('12:c6:65:89:b4:e3') },
      v6Data: { vni: 1, vtepMac: mac('12:c6:65:89:b4:e4') },
    },
  ],
  [
    'vxlan of IPv6 alone',
    '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendV6Data":{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e4"}}',
    {
      publicIPv6: ip('2001:db8::1'),
      backendType: 'vxlan',
      data: {},
      v6Data: { vni: 1, vtepMac: mac('12:c6:65:89:b4:e4') },
    },
  ],
  [
    'host-gw',
    '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw"}',
    { publicIP: ip('192.0.2.1'), backendType: 'host-gw', data: {}, v6Data: {} },
  ],
  [
    'wireguard',
    `{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"${KEY}","Port":51820}}`,
    { publicIP: ip('192.0.2.1'), backendType: 'wireguard', data: { publicKey: KEY, port: 51820 }, v6Data: {} },
  ],
]

test.for(WRITTEN)('encodeLease() writes %s as flanneld does, and it is read again', ([, text, attributes]) => {
  expect(encodeLease(attributes)).toBe(text)
  expect(decodeAttributes(JSON.parse(text))).toEqual(attributes)
})

test('decodeLease() takes the subnets from the key', () => {
  expect(decodeLease('10.5.52.0-24', { PublicIP: '192.0.2.1', BackendType: 'host-gw' })).toEqual({
    key: '10.5.52.0-24',
    subnet: '10.5.52.0/24',
    publicIP: '192.0.2.1',
    backendType: 'host-gw',
    data: {},
    v6Data: {},
  })
})

test.for<[name: string, value: Json, expected: Json]>([
  ['keys in another case', { publicip: '192.0.2.1', BACKENDTYPE: 'host-gw' }, { publicIP: '192.0.2.1' }],
  ['an IPv4-mapped address', { PublicIP: '::ffff:192.0.2.1' }, { publicIP: '192.0.2.1' }],
  ['an IPv6 address of zeros as none', { PublicIPv6: '::' }, {}],
  ['data that are null', { BackendType: 'vxlan', BackendData: null }, { backendType: 'vxlan' }],
  [
    'data of older flannel, without VNI',
    { BackendType: 'vxlan', BackendData: { VtepMAC: '12-C6-65-89-B4-E3' } },
    { backendType: 'vxlan', data: { vtepMac: '12:c6:65:89:b4:e3' } },
  ],
  ['data of a backend that is not run here', { BackendType: 'udp', BackendData: 7 }, { backendType: 'udp' }],
  [
    'a wireguard port of 0 as none',
    { BackendType: 'wireguard', BackendData: { PublicKey: KEY, Port: 0 } },
    { backendType: 'wireguard', data: { publicKey: KEY } },
  ],
])('decodeAttributes() takes %s', ([, value, expected]) => {
  const { backendType, ...rest } = decodeAttributes(value)
  const type = (value as { BackendType?: string }).BackendType === undefined ? {} : { backendType }
  expect({ ...type, ...rest }).toEqual({ data: {}, v6Data: {}, ...(expected as object) })
})

test.for<[value: Json, message: string]>([
  [null, '$: null is not an object'],
  ['{}', '$: "{}" is not an object'],
  [{ PublicIP: 3221225985 }, '$.PublicIP: 3221225985 is not a string'],
  [{ PublicIP: 'node-1' }, '$.PublicIP: "node-1" is not an IPv4 address'],
  [{ PublicIP: '2001:db8::1' }, '$.PublicIP: "2001:db8::1" is not an IPv4 address'],
  [{ PublicIPv6: '192.0.2.1' }, '$.PublicIPv6: "192.0.2.1" is not an IPv6 address'],
  [{ BackendType: 1 }, '$.BackendType: 1 is not a string'],
  [{ BackendType: 'vxlan', BackendData: [] }, '$.BackendData: [] is not an object'],
  [{ BackendType: 'vxlan', BackendData: { VtepMAC: 'ff' } }, '$.BackendData.VtepMAC: "ff" is not an Ethernet address'],
  [{ BackendType: 'vxlan', BackendData: { VNI: 2 ** 24 } }, '$.BackendData.VNI: 16777216 is not a whole number'],
  [{ BackendType: 'vxlan', BackendV6Data: { VNI: 'one' } }, '$.BackendV6Data.VNI: "one" is not a whole number'],
  [
    { BackendType: 'wireguard', BackendData: { PublicKey: 'AAAA' } },
    '$.BackendData.PublicKey: "AAAA" is not 32 bytes in base64',
  ],
  [{ BackendType: 'wireguard', BackendData: { Port: 65536 } }, '$.BackendData.Port: 65536 is not a whole number'],
])('decodeAttributes() refuses %j', ([value, message]) => {
  expect(() => decodeAttributes(value)).toThrow(message)
})

/** Objects with the keys of a lease, of any case, and any values. */
const KEYS = ['PublicIP', 'publicipv6', 'BackendType', 'BACKENDDATA', 'BackendV6Data', 'VtepMAC', 'VNI', 'PublicKey']
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Json>('vxlan', 'wireguard', 'host-gw', '192.0.2.1', '2001:db8::1', KEY, '0e:00:00:00:00:01'),
    fc.jsonValue() as fc.Arbitrary<Json>,
    fc.dictionary(fc.constantFrom(...KEYS), tie('value')),
  ),
})).value

test('decodeAttributes() of anything is what encodeLease() writes, or a DecodeError', () => {
  const decode = (value: unknown): void => {
    try {
      const attributes = decodeAttributes(value)
      expect(decodeAttributes(JSON.parse(encodeLease(attributes)))).toEqual(attributes)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  fc.assert(fc.property(anything, decode), { numRuns: 1000 })
})
