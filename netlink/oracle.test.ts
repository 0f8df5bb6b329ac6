/** What our codec encodes, read by a decoder that shares no code with it: npm `netlink` (node-netlink). */
import { parseMessages, rt } from 'netlink'
import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import { delAddress, IFA_F_NODAD, IFA_F_NOPREFIXROUTE, newAddress } from './address.ts'
import { delLink, newLink, setLink } from './link.ts'
import { encodeMessages, type Message } from './message.ts'
import { delNeigh, newNeigh } from './neigh.ts'
import { delRoute, newRoute, replaceRoute } from './route.ts'

const MAC = '02:00:00:00:00:0b' as Mac
const bytes = (...octets: number[]) => Buffer.from(octets)
const fd00 = (last: number) => bytes(0xfd, ...new Array<number>(14).fill(0), last)

const decode = (message: Message): unknown => {
  const [decoded] = parseMessages(Buffer.from(encodeMessages([message], 1)))
  if (decoded === undefined) throw new Error('no message')
  const { kind, data, attrs } = rt.parseMessage(decoded.type, decoded.data) as unknown as Record<string, unknown>
  return { kind, data, attrs }
}

const CASES: readonly (readonly [name: string, message: Message, expected: object])[] = [
  [
    'newLink() of a veth',
    newLink('host0', { kind: 'veth', peer: { name: 'eth0', netns: 9 } }, { mac: MAC, mtu: 1400, master: 7, up: true }),
    {
      kind: 'link',
      data: { index: 0, flags: { up: true }, change: { up: true } },
      attrs: { ifname: 'host0', address: bytes(2, 0, 0, 0, 0, 11), mtu: 1400, master: 7 },
    },
  ],
  [
    'setLink()',
    setLink('eth0', { alias: 'net/c1/eth0', txQLen: 500, promisc: false, up: false }),
    {
      kind: 'link',
      data: { flags: {}, change: { up: true, promisc: true } },
      attrs: { ifname: 'eth0', ifalias: 'net/c1/eth0', txqlen: 500 },
    },
  ],
  ['delLink()', delLink('eth0'), { kind: 'link', attrs: { ifname: 'eth0' } }],
  [
    'newAddress() of IPv4',
    newAddress(3, '10.1.0.2/24' as Cidr, 0),
    {
      kind: 'address',
      data: { family: 2, prefixlen: 24, scope: 0, index: 3 },
      attrs: { local: bytes(10, 1, 0, 2), address: bytes(10, 1, 0, 2), broadcast: bytes(10, 1, 0, 255), flags: {} },
    },
  ],
  [
    'newAddress() of IPv6',
    newAddress(3, 'fd00::2/64' as Cidr, IFA_F_NODAD | IFA_F_NOPREFIXROUTE),
    {
      kind: 'address',
      data: { family: 10, prefixlen: 64 },
      attrs: { local: fd00(2), address: fd00(2), flags: { nodad: true, noprefixroute: true } },
    },
  ],
  [
    'delAddress() of a /32',
    delAddress(3, '10.1.0.2/32' as Cidr),
    { kind: 'address', data: { prefixlen: 32, index: 3 }, attrs: { local: bytes(10, 1, 0, 2) } },
  ],
  [
    'newRoute() with every key',
    newRoute(3, {
      dst: '10.9.0.0/16' as Cidr,
      via: '10.1.0.1' as Ip,
      src: '10.1.0.2' as Ip,
      mtu: 1300,
      advmss: 1200,
      priority: 5,
      table: 1000,
    }),
    {
      kind: 'route',
      data: { family: 2, dstLen: 16, table: 0, protocol: 'BOOT', scope: 'UNIVERSE', type: 'UNICAST' },
      attrs: {
        dst: bytes(10, 9, 0, 0),
        oif: 3,
        table: 1000,
        gateway: bytes(10, 1, 0, 1),
        prefsrc: bytes(10, 1, 0, 2),
        priority: 5,
        metrics: { mtu: bytes(20, 5, 0, 0), advmss: bytes(176, 4, 0, 0) },
      },
    },
  ],
  [
    'newRoute() onto the link',
    newRoute(3, { dst: '10.9.0.0/16' as Cidr }),
    { data: { scope: 'LINK', table: 254 }, attrs: { oif: 3 } },
  ],
  [
    'delRoute() of the IPv6 default, onlink',
    delRoute(3, { dst: '::/0' as Cidr, via: 'fd00::1' as Ip, onlink: true }),
    { data: { family: 10, dstLen: 0 }, attrs: { gateway: fd00(1), oif: 3 } },
  ],
  [
    'newNeigh() of a forwarding entry',
    newNeigh(4, { table: 'fdb', ip: '192.0.2.1' as Ip, lladdr: MAC }),
    {
      kind: 'neighbor',
      data: { family: 7, ifindex: 4, state: { noarp: true, permanent: true }, flags: { self: true } },
      attrs: { dst: bytes(192, 0, 2, 1), lladdr: bytes(2, 0, 0, 0, 0, 11) },
    },
  ],
  [
    'newNeigh() of a forwarding entry of ours (NTF_EXT_LEARNED)',
    newNeigh(4, { table: 'fdb', ip: 'fd00::7' as Ip, lladdr: MAC, protocol: 112 }),
    { data: { family: 7, flags: { self: true, extLearned: true } }, attrs: { dst: fd00(7) } },
  ],
  [
    'newNeigh() of a neighbour of ours (NDA_PROTOCOL)',
    newNeigh(4, { table: 'neigh', ip: '10.1.0.7' as Ip, lladdr: MAC, protocol: 112 }),
    { data: { family: 2, flags: {} }, attrs: { dst: bytes(10, 1, 0, 7), protocol: bytes(112) } },
  ],
  [
    'newLink() of a vxlan',
    newLink(
      'flannel.1',
      {
        kind: 'vxlan',
        vni: 0xabcdef,
        port: 8472,
        local: '192.0.2.1' as Ip,
        link: 3,
        learning: false,
        gbp: true,
      },
      { mtu: 1450, up: true },
    ),
    {
      kind: 'link',
      data: { flags: { up: true } },
      attrs: {
        ifname: 'flannel.1',
        mtu: 1450,
        // nested attributes without a decoder: INFO_KIND, INFO_DATA with ID, LOCAL, LINK, PORT (big endian), LEARNING, GBP
        linkinfo: Buffer.from(
          ['0900 0100 76786c616e000000', '3000 0280', '0800 0100 efcdab00', '0800 0400 c0000201', '0800 0300 03000000']
            .concat(['0600 0f00 21180000', '0500 0700 00000000', '0400 1700'])
            .join('')
            .replaceAll(' ', ''),
          'hex',
        ),
      },
    },
  ],
  [
    'replaceRoute() of ours',
    replaceRoute(3, { dst: '10.9.1.7/24' as Cidr, via: '10.9.1.0' as Ip, onlink: true, protocol: 112 }),
    {
      data: { dstLen: 24, protocol: 112, scope: 'UNIVERSE', type: 'UNICAST', flags: { __unknown: 4 } }, // RTNH_F_ONLINK
      attrs: { dst: bytes(10, 9, 1, 0), gateway: bytes(10, 9, 1, 0) },
    },
  ],
  [
    'newRoute() of a blackhole',
    newRoute(0, { dst: '10.9.0.0/16' as Cidr, blackhole: true, priority: 4096, protocol: 112 }),
    { data: { type: 'BLACKHOLE', scope: 'UNIVERSE' }, attrs: { priority: 4096 } },
  ],
  [
    'delNeigh() of an IPv6 neighbour',
    delNeigh(4, { table: 'neigh', ip: 'fd00::7' as Ip, lladdr: MAC }),
    { data: { family: 10, ifindex: 4, state: { permanent: true } }, attrs: { dst: fd00(7) } },
  ],
]

test.for(CASES)('%s', ([, message, expected]) => {
  expect(decode(message)).toMatchObject(expected)
})
