import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import type { Json } from '../cni/plugin.ts'
import { type NetConf, parseNetConf } from './net-conf.ts'

const parse = (conf: Json): NetConf => parseNetConf(JSON.stringify(conf))
const VXLAN = { kind: 'vxlan', vni: 1, port: 8472, gbp: false, learning: false, directRouting: false }

/** flannel pkg/subnet/config_test.go: TestConfigDefaults, TestIPv6ConfigDefaults, TestConfigOverrides,
 *  TestIPv6ConfigOverrides and its bounds. */
test.for<[name: string, conf: Json, expected: Json]>([
  [
    'the defaults of a /16',
    { network: '10.3.0.0/16' },
    { ipv4: { network: '10.3.0.0/16', subnetLen: 24, subnetMin: '10.3.1.0', subnetMax: '10.3.255.0' } },
  ],
  [
    'the defaults of an IPv6 /48 alone',
    { enableIPv6: true, ipv6Network: 'fc00::/48', enableIPv4: false },
    { ipv6: { network: 'fc00::/48', subnetLen: 64, subnetMin: 'fc00:0:0:1::', subnetMax: 'fc00:0:0:ffff::' } },
  ],
  [
    'stated subnets',
    { Network: '10.3.0.0/16', SubnetMin: '10.3.5.0', SubnetMax: '10.3.8.0', SubnetLen: 28 },
    { ipv4: { network: '10.3.0.0/16', subnetLen: 28, subnetMin: '10.3.5.0', subnetMax: '10.3.8.0' } },
  ],
  [
    'stated IPv6 subnets',
    {
      EnableIPv6: true,
      EnableIPv4: false,
      IPv6Network: 'fc00::/48',
      IPv6SubnetMin: 'fc00:0:0:1::',
      IPv6SubnetMax: 'fc00:0:0:f::',
      IPv6SubnetLen: 124,
    },
    { ipv6: { network: 'fc00::/48', subnetLen: 124, subnetMin: 'fc00:0:0:1::', subnetMax: 'fc00:0:0:f::' } },
  ],
  [
    'both families',
    { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: '2001:cafe:42::/56' },
    {
      ipv4: { network: '10.244.0.0/16', subnetLen: 24, subnetMin: '10.244.1.0', subnetMax: '10.244.255.0' },
      ipv6: {
        network: '2001:cafe:42::/56',
        subnetLen: 64,
        subnetMin: '2001:cafe:42:1::',
        subnetMax: '2001:cafe:42:ff::',
      },
    },
  ],
  [
    'quarters of a network that has no room for four /24',
    { Network: '10.3.0.0/23' },
    { ipv4: { network: '10.3.0.0/23', subnetLen: 25, subnetMin: '10.3.0.128', subnetMax: '10.3.1.128' } },
  ],
  [
    'the smallest network',
    { Network: '10.3.0.16/28' },
    { ipv4: { network: '10.3.0.16/28', subnetLen: 30, subnetMin: '10.3.0.20', subnetMax: '10.3.0.28' } },
  ],
  [
    'the last network there is',
    { Network: '240.0.0.0/4', SubnetLen: 16 },
    { ipv4: { network: '240.0.0.0/4', subnetLen: 16, subnetMin: '240.1.0.0', subnetMax: '255.255.0.0' } },
  ],
  [
    'zero and null as not stated, as Go does',
    { Network: '10.3.0.0/16', SubnetLen: 0, SubnetMin: '0.0.0.0', SubnetMax: null, Backend: null, IPv6Network: null },
    { ipv4: { network: '10.3.0.0/16', subnetLen: 24, subnetMin: '10.3.1.0', subnetMax: '10.3.255.0' } },
  ],
  [
    'one subnet alone',
    { Network: '10.3.0.0/16', SubnetMin: '10.3.5.0', SubnetMax: '10.3.5.0' },
    { ipv4: { network: '10.3.0.0/16', subnetLen: 24, subnetMin: '10.3.5.0', subnetMax: '10.3.5.0' } },
  ],
])('parseNetConf() takes %s', ([, conf, expected]) => {
  expect(parse(conf)).toEqual({ ...(expected as object), backend: VXLAN })
})

test('parseNetConf() takes what flannel ships: Documentation/kube-flannel.yml, net-conf.json', () => {
  const shipped = `{
      "Network": "10.244.0.0/16",
      "EnableNFTables": false,
      "Backend": {
        "Type": "vxlan"
      }
    }`
  expect(parseNetConf(shipped)).toEqual(parse({ Network: '10.244.0.0/16' }))
})

const PSK = 'FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE='

test.for<[backend: Json, expected: Json]>([
  [{}, VXLAN],
  [{ Type: '' }, VXLAN],
  [{ type: 'VXLAN' }, VXLAN],
  [
    { Type: 'vxlan', vni: 4096, PORT: 4789, mtu: 1400, gbp: true, learning: true, directRouting: true },
    { kind: 'vxlan', vni: 4096, port: 4789, mtu: 1400, gbp: true, learning: true, directRouting: true },
  ],
  [
    { Type: 'vxlan', VNI: 16_777_215, Port: 0, MTU: 0 },
    { ...VXLAN, vni: 16_777_215 },
  ],
  // MacPrefix and Name are of Windows nodes in the same fleet
  [{ Type: 'vxlan', MacPrefix: '0E-2A', Name: 'flannel.4096', Whatever: [1] }, VXLAN],
  [{ Type: 'host-gw', DirectRouting: 1 }, { kind: 'host-gw' }],
  [{ Type: 'ipip' }, { kind: 'ipip', directRouting: false }],
  [
    { Type: 'ipip', DirectRouting: true },
    { kind: 'ipip', directRouting: true },
  ],
  [
    { Type: 'wireguard' },
    { kind: 'wireguard', listenPort: 51820, listenPortV6: 51821, mode: 'separate', keepalive: 0 },
  ],
  [
    {
      Type: 'wireguard',
      ListenPort: 1,
      ListenPortV6: 2,
      PSK,
      MTU: 1420,
      Mode: 'auto',
      PersistentKeepaliveInterval: 25,
    },
    { kind: 'wireguard', listenPort: 1, listenPortV6: 2, psk: PSK, mtu: 1420, mode: 'auto', keepalive: 25 },
  ],
  [
    { Type: 'wireguard', PSK: '' },
    { kind: 'wireguard', listenPort: 51820, listenPortV6: 51821, mode: 'separate', keepalive: 0 },
  ],
])('parseNetConf() takes the backend %j', ([backend, expected]) => {
  expect(parse({ Network: '10.3.0.0/16', Backend: backend }).backend).toEqual(expected)
})

test.for<[name: string, conf: Json, message: string]>([
  ['no network', {}, '$.Network: missing: IPv4 is enabled and needs one, such as "10.244.0.0/16"'],
  ['a list', [], '$: [] is not an object'],
  ['no family', { EnableIPv4: false }, '$.EnableIPv4: false, and EnableIPv6 is not true: one of them must be'],
  ['a word for a flag', { EnableIPv4: 'yes' }, '$.EnableIPv4: "yes" is not true or false'],
  [
    'a word for nftables',
    { Network: '10.3.0.0/16', EnableNFTables: 'no' },
    '$.EnableNFTables: "no" is not true or false',
  ],
  ['IPv6 without its network', { Network: '10.3.0.0/16', EnableIPv6: true }, '$.IPv6Network: missing: IPv6 is enabled'],
  ['a number for a network', { Network: 10 }, '$.Network: 10 is not a string'],
  ['an address for a network', { Network: '10.3.0.0' }, '$.Network: "10.3.0.0" is not an IPv4 network, such as'],
  ['an IPv6 network for IPv4', { Network: 'fd00::/48' }, '$.Network: "fd00::/48" is not an IPv4 network'],
  [
    'a wrong network of a family that is off',
    { Network: '10.3.0.0/16', IPv6Network: '10.4.0.0/16' },
    '$.IPv6Network: "10.4.0.0/16" is not an IPv6 network',
  ],
  ['the world', { Network: '0.0.0.0/0' }, '$.Network: "0.0.0.0/0" is not an IPv4 network'],
  [
    'a network too small',
    { Network: '10.3.0.0/29' },
    '$.Network: "10.3.0.0/29" is too small: four subnets of four addresses need at least a /28',
  ],
  [
    'an IPv6 network too small',
    { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/125' },
    '$.IPv6Network: "fd00::/125" is too small: four subnets of four addresses need at least a /124',
  ],
  [
    'a subnet too small',
    { Network: '10.3.0.0/16', SubnetLen: 31 },
    '$.SubnetLen: 31 is not a prefix length from 18 to 30: a subnet needs four addresses',
  ],
  [
    'a subnet too large',
    { Network: '10.3.0.0/16', SubnetLen: 17 },
    '$.SubnetLen: 17 is not a prefix length from 18 to 30: 10.3.0.0/16 has no room for four subnets of that size',
  ],
  [
    'an IPv6 subnet too small',
    { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48', IPv6SubnetLen: 127 },
    '$.IPv6SubnetLen: 127 is not a prefix length from 50 to 126',
  ],
  ['a fraction', { Network: '10.3.0.0/16', SubnetLen: 24.5 }, '$.SubnetLen: 24.5 is not a whole number from 0 to 32'],
  ['a number as text', { Network: '10.3.0.0/16', SubnetLen: '24' }, '$.SubnetLen: "24" is not a whole number'],
  ['a length below zero', { Network: '10.3.0.0/16', SubnetLen: -1 }, '$.SubnetLen: -1 is not a whole number'],
  [
    'SubnetMin outside',
    { Network: '10.3.0.0/16', SubnetMin: '10.4.0.0' },
    '$.SubnetMin: "10.4.0.0" is not inside the network 10.3.0.0/16',
  ],
  [
    'SubnetMax outside',
    { Network: '10.3.0.0/16', SubnetMax: '10.2.0.0' },
    '$.SubnetMax: "10.2.0.0" is not inside the network 10.3.0.0/16',
  ],
  [
    'SubnetMin off the boundary',
    { Network: '10.3.0.0/16', SubnetMin: '10.3.1.128' },
    '$.SubnetMin: "10.3.1.128" is not where a /24 begins: the one around it begins at 10.3.1.0',
  ],
  [
    'IPv6SubnetMax off the boundary',
    { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48', IPv6SubnetMax: 'fd00:0:0:9::1' },
    '$.IPv6SubnetMax: "fd00:0:0:9::1" is not where a /64 begins',
  ],
  [
    'Min above Max',
    { Network: '10.3.0.0/16', SubnetMin: '10.3.9.0', SubnetMax: '10.3.8.0' },
    '$.SubnetMin: "10.3.9.0" comes after SubnetMax, which is "10.3.8.0"',
  ],
  ['SubnetMin of another family', { Network: '10.3.0.0/16', SubnetMin: 'fd00::' }, '"fd00::" is not an IPv4 address'],
  ['a backend that is text', { Network: '10.3.0.0/16', Backend: 'vxlan' }, '$.Backend: "vxlan" is not an object'],
])('parseNetConf() refuses %s', ([, conf, message]) => {
  expect(() => parse(conf)).toThrow(message)
})

test.for<[backend: Json, message: string]>([
  [{ Type: 'vxlan', VNI: 2 ** 24 }, '$.Backend.VNI: 16777216 is not a whole number from 1 to 16777215'],
  [{ Type: 'vxlan', VNI: 0 }, '$.Backend.VNI: 0 is not a whole number from 1'],
  [{ Type: 'vxlan', VNI: '1' }, '$.Backend.VNI: "1" is not a whole number'],
  [{ Type: 'vxlan', Port: 65536 }, '$.Backend.Port: 65536 is not a whole number from 0 to 65535'],
  [{ Type: 'vxlan', GBP: 1 }, '$.Backend.GBP: 1 is not true or false'],
  [{ Type: 'vxlan', Learning: 'true' }, '$.Backend.Learning: "true" is not true or false'],
  [{ Type: 'vxlan', DirectRouting: 0 }, '$.Backend.DirectRouting: 0 is not true or false'],
  [{ Type: 'vxlan', MTU: 100 }, '$.Backend.MTU: 100 is too small: IPv4 in this backend needs 118'],
  [{ Type: 'vxlan', MTU: 65536 }, '$.Backend.MTU: 65536 is not a whole number from 0 to 65535'],
  [
    { Type: 'udp', Port: 7890 },
    '$.Backend.Type: "udp" is a backend of flannel that is not supported here: use one of vxlan, host-gw, wireguard, ipip',
  ],
  [{ Type: 'IPSEC' }, '"IPSEC" is a backend of flannel that is not supported here'],
  [{ Type: 'alloc' }, '"alloc" is a backend of flannel that is not supported here'],
  [{ Type: 'extension' }, '"extension" is a backend of flannel that is not supported here'],
  [{ Type: 'tencent-vpc' }, '"tencent-vpc" is a backend of flannel that is not supported here'],
  [{ Type: 'geneve' }, '$.Backend.Type: "geneve" is unknown: use one of vxlan, host-gw, wireguard, ipip'],
  [{ Type: 7 }, '$.Backend.Type: 7 is not a string'],
  [{ Type: 'wireguard', Mode: 'both' }, '$.Backend.Mode: "both" is not one of separate, auto, ipv4, ipv6'],
  [{ Type: 'wireguard', ListenPort: 0 }, '$.Backend.ListenPort: 0 is not a whole number from 1 to 65535'],
  [{ Type: 'wireguard', PersistentKeepaliveInterval: -1 }, '$.Backend.PersistentKeepaliveInterval: -1 is not'],
  [{ Type: 'wireguard', MTU: 147 }, '$.Backend.MTU: 147 is too small: IPv4 in this backend needs 148'],
  [{ Type: 'ipip', DirectRouting: 'on' }, '$.Backend.DirectRouting: "on" is not true or false'],
])('parseNetConf() refuses the backend %j', ([backend, message]) => {
  expect(() => parse({ Network: '10.3.0.0/16', Backend: backend })).toThrow(message)
})

const DUAL = { Network: '10.3.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' }

test.for<[backend: Json, message: string]>([
  [{ Type: 'ipip' }, '$.EnableIPv6: true, and ipip carries IPv4 alone: use vxlan, wireguard or host-gw'],
  [{ Type: 'vxlan', MTU: 1349 }, '$.Backend.MTU: 1349 is too small: IPv6 in this backend needs 1350'],
  [{ Type: 'wireguard', ListenPortV6: 51820 }, '51820 is ListenPort too: "separate" needs two ports'],
])('parseNetConf() refuses with both families the backend %j', ([backend, message]) => {
  expect(() => parse({ ...DUAL, Backend: backend })).toThrow(message)
})

test('parseNetConf() lets one device of wireguard for both families have one port', () => {
  const { backend } = parse({ ...DUAL, Backend: { Type: 'wireguard', Mode: 'ipv4', ListenPortV6: 51820 } })
  expect(backend).toMatchObject({ mode: 'ipv4', listenPort: 51820, listenPortV6: 51820 })
})

test('parseNetConf() does not show a preshared key that it refuses', () => {
  const refuse = () => parse({ Network: '10.3.0.0/16', Backend: { Type: 'wireguard', PSK: 'c2VjcmV0' } })
  expect(refuse).toThrow('$.Backend.PSK: a text of 8 characters, not 32 bytes in base64')
  expect(refuse).not.toThrow('c2VjcmV0')
})

test.for([
  `{"Network": "10.3.0.0/16", "Backend": {"Type": "wireguard", "PSK": "${PSK}",}}`,
  `{"Network": "10.3.0.0/16", "Backend": {"Type": "wireguard", "PSK": ${PSK}}}`,
  `{"Network": "10.3.0.0/16", "Backend": {"Type": "wireguard", "psk": ["${PSK}"]}}`,
  JSON.stringify({ Network: '10.3.0.0/16', Backend: `{"Type": "wireguard", "PSK": "${PSK}"}` }),
  JSON.stringify(`{"PSK": "${PSK}"}`),
])('parseNetConf() shows nothing of the preshared key in %j', (text) => {
  let shown = ''
  try {
    parseNetConf(text)
  } catch (error) {
    shown = inspect(error)
  }
  expect(shown).toMatch(/\$(?:\.Backend(?:\.PSK)?)?: it is not a/)
  expect(shown).not.toContain(PSK.slice(0, 6))
})

test('parseNetConf() clears host bits of a network', () => {
  expect(parse({ Network: '10.3.1.7/16' })).toEqual(parse({ Network: '10.3.0.0/16' }))
})

test.for(['', '  ', '{', 'Network: 10.3.0.0/16'])('parseNetConf() refuses the text %j', (text) => {
  expect(() => parseNetConf(text)).toThrow(/^\$: (it is empty|".*" is not JSON)/)
})
