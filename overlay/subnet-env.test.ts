import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import { parseNetConf } from './net-conf.ts'
import { parseSubnetEnv, renderSubnetEnv, type SubnetEnv, subnetEnvOf } from './subnet-env.ts'

const cidr = (text: string) => text as Cidr

/** Byte for byte what flannel pkg/subnet/subnet.go `WriteSubnetFile` writes; the second is the example of its
 *  Documentation/configuration.md, in the order of the code. */
const FILES: readonly (readonly [name: string, text: string, env: SubnetEnv])[] = [
  [
    'IPv4',
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    { networks: [cidr('10.244.0.0/16')], subnet: cidr('10.244.1.0/24'), ipv6Networks: [], mtu: 1450, ipMasq: true },
  ],
  [
    'both families',
    'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_IPV6_NETWORK=2001:cafe:42::/56\nFLANNEL_IPV6_SUBNET=2001:cafe:42::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    {
      networks: [cidr('10.42.0.0/16')],
      subnet: cidr('10.42.0.0/24'),
      ipv6Networks: [cidr('2001:cafe:42::/56')],
      ipv6Subnet: cidr('2001:cafe:42::/64'),
      mtu: 1450,
      ipMasq: true,
    },
  ],
  [
    'IPv6 alone',
    'FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
    {
      networks: [],
      ipv6Networks: [cidr('fd00::/48')],
      ipv6Subnet: cidr('fd00:0:0:1::/64'),
      mtu: 1430,
      ipMasq: false,
    },
  ],
]

test.for(FILES)('renderSubnetEnv() and parseSubnetEnv() agree on %s', ([, text, env]) => {
  expect(renderSubnetEnv(env)).toBe(text)
  expect(parseSubnetEnv(text)).toEqual(env)
})

test('subnetEnvOf() says what the network configuration and the lease say', () => {
  const conf = parseNetConf('{"Network": "10.42.0.0/16", "EnableIPv6": true, "IPv6Network": "2001:cafe:42::/56"}')
  const own = {
    key: 'a',
    subnet: cidr('10.42.0.0/24'),
    ipv6Subnet: cidr('2001:cafe:42::/64'),
    backendType: 'vxlan',
    data: {},
    v6Data: {},
  }
  expect(subnetEnvOf(conf, own, 1450, true)).toEqual(FILES[1]?.[2])
})

const REST = 'FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'

test.for<[name: string, text: string, expected: Partial<SubnetEnv>]>([
  [
    'carriage returns',
    'FLANNEL_NETWORK=10.1.0.0/16\r\nFLANNEL_SUBNET=10.1.2.1/24\r\nFLANNEL_MTU=9\r\nFLANNEL_IPMASQ=true\r\n',
    { mtu: 9 },
  ],
  [
    'keys it does not know, and lines that are none',
    `# x\n\nA=B\nFLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\n${REST}`,
    { mtu: 1450 },
  ],
  [
    'several networks, each once',
    `FLANNEL_NETWORK=10.1.0.0/16,10.2.0.0/16,10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\n${REST}`,
    { networks: [cidr('10.1.0.0/16'), cidr('10.2.0.0/16')] },
  ],
  [
    'the last of equal keys',
    `FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1\n${REST}`,
    { mtu: 1450 },
  ],
])('parseSubnetEnv() takes %s', ([, text, expected]) => {
  expect(parseSubnetEnv(text)).toMatchObject(expected)
})

test.for<[text: string, message: string]>([
  [
    '',
    'subnet.env: lacks FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ',
  ],
  ['FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\n', 'subnet.env: lacks FLANNEL_MTU, FLANNEL_IPMASQ'],
  [`FLANNEL_NETWORK=10.1\nFLANNEL_SUBNET=10.1.2.1/24\n${REST}`, 'FLANNEL_NETWORK: "10.1" is not an IPv4 address with'],
  [`FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=fd00::1/64\n${REST}`, 'FLANNEL_SUBNET: "fd00::1/64" is not an IPv4'],
  [
    'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1e3\nFLANNEL_IPMASQ=true\n',
    'FLANNEL_MTU: "1e3" is not a number of bytes',
  ],
  [
    'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=yes\n',
    'FLANNEL_IPMASQ: "yes" is not true or false',
  ],
])('parseSubnetEnv() refuses %j', ([text, message]) => {
  expect(() => parseSubnetEnv(text)).toThrow(message)
})
