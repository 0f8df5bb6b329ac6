import { expect, test } from 'vitest'
import { callOf } from '../../test/support/call.ts'
import { parseBridgeConf } from './conf.ts'

test('parseBridgeConf() fills in the defaults of upstream', () => {
  expect(parseBridgeConf(callOf({}))).toEqual({
    bridge: 'cni0',
    isGateway: false,
    isDefaultGateway: false,
    forceAddress: false,
    ipMasq: false,
    ipMasqBackend: 'nftables',
    mtu: undefined,
    hairpinMode: false,
    promiscMode: false,
    vlan: 0,
    trunk: undefined,
    preserveDefaultVlan: false,
    macspoofchk: false,
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    ipam: false,
    dns: undefined,
    mac: undefined,
  })
})

test('isDefaultGateway implies isGateway', () => {
  expect(parseBridgeConf(callOf({ isDefaultGateway: true })).isGateway).toBe(true)
})

test.for([
  [
    'runtimeConfig before args.cni',
    { runtimeConfig: { mac: '02:00:00:00:00:01' }, args: { cni: { mac: '02:00:00:00:00:02' } } },
    { MAC: '02:00:00:00:00:03' },
    '02:00:00:00:00:01',
  ],
  [
    'args.cni before CNI_ARGS',
    { args: { cni: { mac: '02-00-00-00-00-02' } } },
    { MAC: '02:00:00:00:00:03' },
    '02:00:00:00:00:02',
  ],
  ['CNI_ARGS last', { runtimeConfig: { mac: '' } }, { MAC: '02:00:00:00:00:03' }, '02:00:00:00:00:03'],
] as const)('mac: %s', ([, keys, args, mac]) => {
  expect(parseBridgeConf(callOf(keys, { args })).mac).toBe(mac)
})

test('vlanTrunk is sorted, each VLAN once', () => {
  expect(parseBridgeConf(callOf({ vlanTrunk: [{ minID: 5, maxID: 7 }, { id: 3 }, { id: 6 }] })).trunk).toEqual([
    3, 5, 6, 7,
  ])
})

test.for([
  [
    'hairpinMode with promiscMode',
    { hairpinMode: true, promiscMode: true },
    {},
    '"hairpinMode": true and "promiscMode": true exclude each other',
  ],
  [
    'ipam with disableContainerInterface',
    { disableContainerInterface: true, ipam: { type: 'static' } },
    {},
    '"disableContainerInterface": true and "ipam" exclude each other',
  ],
  [
    'a trunk range upside down',
    { vlanTrunk: [{ minID: 9, maxID: 3 }] },
    {},
    '$.vlanTrunk[0].minID: 9 is above "maxID" 3',
  ],
  ['an empty trunk entry', { vlanTrunk: [{ id: 1 }, {}] }, {}, '$.vlanTrunk[1]: {} names no VLAN'],
  ['a mac that is none', { runtimeConfig: { mac: 'zz' } }, {}, '$.runtimeConfig.mac: "zz" is not an Ethernet address'],
  ['a MAC in CNI_ARGS that is none', {}, { MAC: '1:2' }, 'CNI_ARGS MAC: "1:2" is not an Ethernet address'],
] as const)('parseBridgeConf() refuses %s', ([, keys, args, message]) => {
  expect(() => parseBridgeConf(callOf(keys, { args }))).toThrow(message)
})
