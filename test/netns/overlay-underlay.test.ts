/** What `observeUnderlay` sees of a real node: `support/underlay.ts` draws it. A second link, `eth1`, is added here. */
import { beforeAll, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { chooseUnderlay, type UnderlayChoice, type UnderlayOptions } from '../../overlay/underlay.ts'
import { observeUnderlay } from '../../overlay/underlay-observe.ts'
import { kernelOf } from '../support/in-process.ts'
import { shellIn } from '../support/netns.ts'
import { confOf, DUAL, IPV4 } from '../support/overlay.ts'
import { settle } from '../support/probe.ts'
import { makeUnderlay } from '../support/underlay.ts'

let node: string

beforeAll(() => {
  node = makeUnderlay(1, 'seen').nodes[0]?.netns ?? ''
  shellIn(
    node,
    `ip link add eth1 mtu 1400 type veth peer name far; ip link set eth1 up; ip link set far up
     ip addr add 198.51.100.1/24 dev eth1; ip addr add 198.51.100.9/24 dev eth1; ip addr add 2001:db8:1::1/64 dev eth1 nodad
     ip route add 203.0.113.0/24 via 198.51.100.254 src 198.51.100.9`,
  )
  settle(node)
})

const choose = (given: Partial<UnderlayOptions> = {}): UnderlayChoice =>
  kernelOf(node, undefined, (kernel) => {
    const options = { conf: confOf(DUAL, {}), ifaces: [], ifaceRegexes: [], ...given }
    return chooseUnderlay(options, observeUnderlay(options, kernel))
  })

test('the interface of the default routes, its MTU, addresses and endpoints', () => {
  const { underlay, ...rest } = choose()
  expect(underlay).toMatchObject({ name: 'eth0', mtu: 1500, ipv4: '192.0.2.1', ipv6: '2001:db8::1' })
  expect(underlay.addresses).toEqual(
    expect.arrayContaining(['192.0.2.1/24', '2001:db8::1/64', expect.stringMatching(/^fe80:/)]),
  )
  expect(rest).toEqual({ publicIP: '192.0.2.1', publicIPv6: '2001:db8::1' })
})

test('the default route with the least metric', () => {
  const given = { conf: confOf(IPV4, {}) }
  shellIn(node, 'ip route add default via 198.51.100.254 metric 10')
  expect(choose(given).underlay.name).toBe('eth0')
  shellIn(node, 'ip route del default via 192.0.2.254; ip route add default via 192.0.2.254 metric 20')
  expect(choose(given).underlay.name).toBe('eth1')
  shellIn(node, 'ip route del default metric 10; ip route del default metric 20')
  expect(() => choose(given)).toThrow('--iface: there is no default IPv4 route')
})

test('the interface and the source by which an address is reached', () => {
  const { underlay, publicIP } = choose({ ifaceCanReach: parseIp('203.0.113.7') })
  expect([underlay.name, underlay.mtu, publicIP]).toEqual(['eth1', 1400, '198.51.100.9'])
  expect(() => choose({ ifaceCanReach: parseIp('203.0.114.7') })).toThrow(
    '--iface-can-reach: there is no route to 203.0.114.7',
  )
})

test('a lasting address before one that will end, and none that is deprecated', () => {
  shellIn(node, 'ip link add eth2 type veth peer name far2; ip link set eth2 up; ip link set far2 up')
  shellIn(
    node,
    'ip addr add 198.51.101.1/24 dev eth2 valid_lft 1000 preferred_lft 1000; ip addr add 198.51.102.1/24 dev eth2',
  )
  expect(choose({ conf: confOf(IPV4, {}), ifaces: ['eth2'] }).underlay.ipv4).toBe('198.51.102.1')
  shellIn(
    node,
    'ip addr del 198.51.102.1/24 dev eth2; ip addr change 198.51.101.1/24 dev eth2 valid_lft 1000 preferred_lft 0',
  )
  expect(() => choose({ conf: confOf(IPV4, {}), ifaces: ['eth2'] })).toThrow('the interface eth2 has no IPv4 address')
})
