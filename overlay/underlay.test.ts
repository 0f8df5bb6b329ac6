import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Json } from '../cni/plugin.ts'
import { parseNetConf } from './net-conf.ts'
import { chooseUnderlay, type UnderlayChoice, type UnderlayOptions, type UnderlaySeen } from './underlay.ts'

const ip = (text: string) => text as Ip
const PERMANENT = 0x80
const DEPRECATED = 0x20
const TEMPORARY = 0x01

const address = (index: number, text: string, flags = PERMANENT) => ({ index, address: text as Cidr, flags })

/** lo, two Ethernet links, an overlay from before, a bridge of pods, and a link with no address. */
const SEEN: UnderlaySeen = {
  links: [
    { index: 1, name: 'lo', mtu: 65536 },
    { index: 2, name: 'eth0', mtu: 1500 },
    { index: 3, name: 'eth1', mtu: 9000 },
    { index: 4, name: 'flannel.1', mtu: 1450 },
    { index: 5, name: 'cni0', mtu: 1450 },
    { index: 6, name: 'eth2', mtu: 1500 },
  ],
  addresses: [
    address(1, '127.0.0.1/8'),
    address(1, '::1/128'),
    address(2, '192.0.2.1/24'),
    address(2, '2001:db8::1/64'),
    address(2, 'fe80::1/64'),
    address(3, '198.51.100.1/25'),
    address(3, '2001:db8:1::1/64'),
    address(4, '10.244.1.0/32'),
    address(5, '10.244.1.1/24'),
  ],
  defaults: { 4: 2, 6: 2 },
}

const V4: Json = { Network: '10.244.0.0/16' }
const V6: Json = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' }
const DUAL: Json = { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' }

type Given = Partial<Omit<UnderlayOptions, 'conf'>>
const choose = (conf: Json, given: Given = {}, seen: UnderlaySeen = SEEN): UnderlayChoice =>
  chooseUnderlay({ conf: parseNetConf(JSON.stringify(conf)), ifaces: [], ifaceRegexes: [], ...given }, seen)

/** Interface and endpoints; public addresses only where they differ from these. */
const short = ({ underlay, publicIP, publicIPv6 }: UnderlayChoice): string =>
  [underlay.name, underlay.ipv4, underlay.ipv6, publicIP && `public ${publicIP}`, publicIPv6 && `public ${publicIPv6}`]
    .filter((each) => each !== undefined)
    .join(' ')

const ETH0 = 'eth0 192.0.2.1 2001:db8::1'
const ETH1 = 'eth1 198.51.100.1 2001:db8:1::1'

test.for<[name: string, conf: Json, given: Given, expected: string]>([
  ['the default route', V4, {}, `${ETH0} public 192.0.2.1`],
  ['the default route of IPv6', V6, {}, `${ETH0} public 2001:db8::1`],
  ['that of both families', DUAL, {}, `${ETH0} public 192.0.2.1 public 2001:db8::1`],
  ['a name', V4, { ifaces: ['eth1'] }, `${ETH1} public 198.51.100.1`],
  ['an address', V4, { ifaces: ['198.51.100.1'] }, `${ETH1} public 198.51.100.1`],
  ['an IPv6 address', DUAL, { ifaces: ['2001:db8:1::1'] }, `${ETH1} public 198.51.100.1 public 2001:db8:1::1`],
  ['the first of several that is there', V4, { ifaces: ['eth7', 'eth1', 'eth0'] }, `${ETH1} public 198.51.100.1`],
  ['the first of several that has an address', V4, { ifaces: ['eth2', 'eth1'] }, `${ETH1} public 198.51.100.1`],
  ['a pattern of addresses', V4, { ifaceRegexes: ['^198\\.51\\.'] }, `${ETH1} public 198.51.100.1`],
  [
    'a pattern that an address of each family matches',
    DUAL,
    { ifaceRegexes: ['^(198|2001:db8:1)'] },
    `${ETH1} public 198.51.100.1 public 2001:db8:1::1`,
  ],
  ['a pattern of names', V4, { ifaceRegexes: ['eth[12]'] }, `${ETH1} public 198.51.100.1`],
  ['a pattern with flags as Go writes them', V4, { ifaceRegexes: ['(?i)ETH1'] }, `${ETH1} public 198.51.100.1`],
  [
    'no overlay, though its address matches',
    V4,
    { ifaceRegexes: ['^10\\.244\\.1\\.0$', 'eth0'] },
    `${ETH0} public 192.0.2.1`,
  ],
  ['names before patterns', V4, { ifaces: ['eth0'], ifaceRegexes: ['eth1'] }, `${ETH0} public 192.0.2.1`],
  [
    'patterns before what can be reached',
    V4,
    { ifaceRegexes: ['eth0'], ifaceCanReach: ip('203.0.113.9') },
    `${ETH0} public 192.0.2.1`,
  ],
  ['the interface of a public address', V4, { publicIP: ip('198.51.100.1') }, `${ETH1} public 198.51.100.1`],
  ['that of a public IPv6 address', V6, { publicIPv6: ip('2001:db8:1::1') }, `${ETH1} public 2001:db8:1::1`],
  [
    'a public address that is elsewhere, with a name',
    V4,
    { ifaces: ['eth0'], publicIP: ip('203.0.113.5') },
    `${ETH0} public 203.0.113.5`,
  ],
  [
    'public addresses of both families that are elsewhere',
    DUAL,
    { ifaces: ['eth0'], publicIP: ip('203.0.113.5'), publicIPv6: ip('2001:db8:9::5') },
    `${ETH0} public 203.0.113.5 public 2001:db8:9::5`,
  ],
])('chooseUnderlay() takes %s', ([, conf, given, expected]) => {
  expect(short(choose(conf, given))).toBe(expected)
})

test('chooseUnderlay() gives MTU and every address of the interface', () => {
  expect(choose(V4, { ifaces: ['eth1'] }).underlay).toEqual({
    name: 'eth1',
    mtu: 9000,
    ipv4: '198.51.100.1',
    ipv6: '2001:db8:1::1',
    addresses: ['198.51.100.1/25', '2001:db8:1::1/64'],
  })
})

test('chooseUnderlay() takes the way to an address, with the source that the kernel chose', () => {
  const seen = {
    ...SEEN,
    addresses: [...SEEN.addresses, address(3, '198.51.100.9/25')],
    reach: { index: 3, src: ip('198.51.100.9') },
  }
  expect(short(choose(V4, { ifaceCanReach: ip('203.0.113.9') }, seen))).toBe(
    'eth1 198.51.100.9 2001:db8:1::1 public 198.51.100.9',
  )
})

/** flannel pkg/ip/iface.go `compareAddrs`. */
test.for<[name: string, addresses: UnderlaySeen['addresses'], expected: string]>([
  ['a global one before a link-local one', [address(2, '169.254.1.1/16'), address(2, '192.0.2.7/24')], '192.0.2.7'],
  ['a lasting one before a leased one', [address(2, '192.0.2.8/24', 0), address(2, '192.0.2.7/24')], '192.0.2.7'],
  [
    'a first one before a secondary one',
    [address(2, '192.0.2.8/24', PERMANENT | TEMPORARY), address(2, '192.0.2.7/24')],
    '192.0.2.7',
  ],
  [
    'none that is deprecated',
    [address(2, '192.0.2.8/24', PERMANENT | DEPRECATED), address(2, '192.0.2.7/24', 0)],
    '192.0.2.7',
  ],
  ['the first of equals', [address(2, '192.0.2.7/24'), address(2, '192.0.2.8/24')], '192.0.2.7'],
  ['a link-local one when there is no other', [address(2, '169.254.1.1/16')], '169.254.1.1'],
])('chooseUnderlay() takes of several addresses %s', ([, addresses, expected]) => {
  expect(choose(V4, {}, { ...SEEN, addresses }).underlay.ipv4).toBe(expected)
})

const NONE: UnderlaySeen = { ...SEEN, defaults: {} }

test.for<[name: string, conf: Json, given: Given, message: string, seen?: UnderlaySeen]>([
  [
    'a node without default route',
    V4,
    {},
    '--iface: there is no default IPv4 route: name the interface with --iface',
    NONE,
  ],
  ['one without that of IPv6', DUAL, {}, '--iface: there is no default IPv6 route', { ...SEEN, defaults: { 4: 2 } }],
  [
    'default routes by two interfaces',
    DUAL,
    {},
    '--iface: the default IPv4 route leaves by eth0, that of IPv6 by eth1: name one of them with --iface',
    { ...SEEN, defaults: { 4: 2, 6: 3 } },
  ],
  [
    'a name that is not there',
    V4,
    { ifaces: ['eth7'] },
    '--iface: there is no interface "eth7", only lo, eth0, eth1, flannel.1, cni0, eth2',
  ],
  ['an address that nobody has', V4, { ifaces: ['192.0.2.99'] }, '--iface: no interface has the address 192.0.2.99'],
  ['an interface without address', V4, { ifaces: ['eth2'] }, '--iface: the interface eth2 has no IPv4 address'],
  ['loopback', V4, { ifaces: ['lo'] }, '--iface: the interface lo has no IPv4 address'],
  ['an interface without IPv6', DUAL, { ifaces: ['cni0'] }, '--iface: the interface cni0 has no IPv6 address'],
  [
    'an interface over which IPv6 would not fit into the tunnel',
    DUAL,
    { ifaces: ['tun0'] },
    '--iface: the interface tun0 has an MTU of 1320, and IPv6 by vxlan needs 1350',
    {
      ...SEEN,
      links: [{ index: 7, name: 'tun0', mtu: 1320 }],
      addresses: [address(7, '198.51.100.1/25'), address(7, '2001:db8:1::1/64')],
    },
  ],
  [
    'a pattern that matches nothing',
    V4,
    { ifaceRegexes: ['^wlan'] },
    '--iface-regex: "^wlan" matches no address or name of lo, eth0 192.0.2.1, eth1 198.51.100.1, cni0 10.244.1.1, eth2',
  ],
  ['a pattern that is none', V4, { ifaceRegexes: ['('] }, '--iface-regex: "(" is not a regular expression'],
  [
    'what cannot be reached',
    V4,
    { ifaceCanReach: ip('203.0.113.9') },
    '--iface-can-reach: there is no route to 203.0.113.9',
  ],
  [
    'all of several, each with its reason',
    V4,
    { ifaces: ['eth7', 'eth2'], ifaceCanReach: ip('203.0.113.9') },
    'only lo, eth0, eth1, flannel.1, cni0, eth2; --iface: the interface eth2 has no IPv4 address; --iface-can-reach: there is no',
  ],
  [
    'a public address that is elsewhere, alone',
    V4,
    { publicIP: ip('203.0.113.5') },
    '--public-ip: no interface has the address 203.0.113.5',
  ],
  [
    'an IPv6 address for --public-ip',
    DUAL,
    { ifaces: ['eth0'], publicIP: ip('2001:db8::1') },
    '--public-ip: "2001:db8::1" is not an IPv4 address',
  ],
  [
    'an IPv4 address for --public-ipv6',
    DUAL,
    { ifaces: ['eth0'], publicIPv6: ip('192.0.2.1') },
    '--public-ipv6: "192.0.2.1" is not an IPv6 address',
  ],
  [
    'a network that overlaps the underlay',
    { Network: '192.0.0.0/16' },
    {},
    '$.Network: "192.0.0.0/16" overlaps 192.0.2.1/24 of the interface eth0',
  ],
  [
    'an IPv6 network that overlaps it',
    { EnableIPv4: false, EnableIPv6: true, IPv6Network: '2001:db8::/32' },
    {},
    '$.IPv6Network: "2001:db8::/32" overlaps 2001:db8::1/64 of the interface eth0',
  ],
  [
    'the bridge of the pods',
    V4,
    { ifaces: ['cni0'] },
    '$.Network: "10.244.0.0/16" overlaps 10.244.1.1/24 of the interface cni0',
  ],
  [
    'host-gw behind a translator of addresses',
    { Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } },
    { ifaces: ['eth0'], publicIP: ip('203.0.113.5') },
    '--public-ip: "203.0.113.5" is not an address of eth0 (192.0.2.1): behind a translator of addresses host-gw cannot work',
  ],
])('chooseUnderlay() refuses %s', ([, conf, given, message, seen = SEEN]) => {
  expect(() => choose(conf, given, seen)).toThrow(message)
})

test('chooseUnderlay() lets pods have subnets beside the underlay in one network', () => {
  const conf = { Network: '192.0.0.0/16', SubnetMin: '192.0.128.0', SubnetMax: '192.0.255.0' }
  expect(choose(conf).underlay.name).toBe('eth0')
})
