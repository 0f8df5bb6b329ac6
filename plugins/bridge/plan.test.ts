import { describe, expect, test } from 'vitest'
import type { Result } from '../../cni/result.ts'
import { renderPlan } from '../../kernel/apply.ts'
import { derivedEnds } from '../../kernel/ends.ts'
import { callOf } from '../../test/support/call.ts'
import { parseBridgeConf } from './conf.ts'
import { completeAddressing, planBridge } from './plan.ts'

const OWNER = { network: 'net', containerID: 'c1', ifName: 'eth0' }
const ENDS = derivedEnds(OWNER, undefined)
const HOST = ENDS.host.name
const IPAM = {
  ips: [{ address: '10.1.0.5/24' }, { address: 'fd00::5/64', gateway: 'fd00::1' }],
  routes: [{ dst: '10.9.0.0/16' }],
} as unknown as Result

const linesOf = (keys: object, ipam: Result = IPAM): string[] => {
  const conf = parseBridgeConf(callOf(keys))
  return renderPlan(planBridge(conf, OWNER, ENDS, completeAddressing(conf, ipam))).split('\n')
}

test('planBridge() states bridge, pair, pod and gateway, in that order', () => {
  expect(linesOf({ isDefaultGateway: true, mtu: 1400, ipam: { type: 'host-local' } })).toEqual([
    'ip link add cni0 mtu 1400 type bridge',
    'ip link set cni0 alias podwire',
    'ip addr add 10.1.0.1/24 broadcast + dev cni0',
    'ip addr add fd00::1/64 dev cni0 nodad',
    'sysctl -w net/ipv6/conf/cni0/accept_ra=0',
    'sysctl -w net/ipv6/conf/cni0/accept_dad=0',
    'ip link set cni0 up',
    `ip link add ${HOST} address ${ENDS.host.mac} mtu 1400 master cni0 type veth peer name eth0 netns pod address ${ENDS.pod.mac} mtu 1400`,
    `ip link set ${HOST} alias net/c1/eth0 type bridge_slave hairpin off isolated off`,
    `sysctl -w net/ipv6/conf/${HOST}/accept_ra=0`,
    `ip link set ${HOST} up`,
    'sysctl -w net/ipv6/conf/lo/disable_ipv6=0',
    'sysctl -w net/ipv6/conf/eth0/disable_ipv6=0',
    'sysctl -w net/ipv6/conf/eth0/keep_addr_on_down=1',
    'sysctl -w net/ipv6/conf/eth0/accept_dad=0',
    'sysctl -w net/ipv4/conf/eth0/arp_notify=1',
    'ip addr add 10.1.0.5/24 broadcast + dev eth0',
    'ip addr add fd00::5/64 dev eth0 nodad',
    'ip link set eth0 up',
    'ip route prepend 10.9.0.0/16 via 10.1.0.1 dev eth0',
    'ip route prepend 0.0.0.0/0 via 10.1.0.1 dev eth0',
    'ip route prepend ::/0 via fd00::1 dev eth0',
    'sysctl -w net/ipv4/ip_forward=1',
    'sysctl -w net/ipv6/conf/all/forwarding=1',
    `# wait up to 2500 ms for the carrier of ${HOST}`,
  ])
})

describe('keys and what they change', () => {
  const vlan = (keys: object) => linesOf(keys, {}).filter((line) => line.includes('vlan'))
  test.for([
    [
      'vlan',
      { vlan: 100 },
      [
        'ip link set cni0 up type bridge vlan_filtering 1',
        `bridge vlan del vid 1 dev ${HOST} master`,
        `bridge vlan add vid 100 pvid untagged dev ${HOST} master`,
      ],
    ],
    [
      'vlan with preserveDefaultVlan',
      { vlan: 100, preserveDefaultVlan: true },
      ['ip link set cni0 up type bridge vlan_filtering 1', `bridge vlan add vid 100 pvid untagged dev ${HOST} master`],
    ],
    [
      'vlanTrunk without vlan: the native VLAN is 1',
      { vlanTrunk: [{ id: 7 }, { minID: 3, maxID: 4 }] },
      [
        'ip link set cni0 up type bridge vlan_filtering 1',
        `bridge vlan del vid 1 dev ${HOST} master`,
        ...[3, 4, 7].map((vid) => `bridge vlan add vid ${vid} dev ${HOST} master`),
        `bridge vlan add vid 1 pvid untagged dev ${HOST} master`,
      ],
    ],
    ['none of them', {}, []],
  ] as const)('%s', ([, keys, lines]) => {
    expect(vlan(keys)).toEqual(lines)
  })

  test('vlan with isGateway joins the gateway BRIDGE.VLAN to the bridge by a pair of its own', () => {
    const lines = linesOf({ vlan: 100, isGateway: true, ipam: { type: 'static' } })
    expect(lines.find((line) => line.includes('peer name cni0.100'))).toMatch(
      /^ip link add veth[0-9a-f]{11} master cni0 type veth peer name cni0\.100$/,
    )
    expect(lines).toContain('ip addr add 10.1.0.1/24 broadcast + dev cni0.100')
  })

  test('disableContainerInterface leaves the pod alone', () => {
    expect(
      linesOf({ disableContainerInterface: true }, {}).filter(
        (line) => line.includes('eth0') && !line.includes('peer name') && !line.includes('alias'),
      ),
    ).toEqual([])
  })

  test('ipMasq by nftables adds two elements for each address', () => {
    const lines = linesOf({ ipMasq: true, ipam: { type: 'static' } }).filter((line) => line.includes('add element'))
    expect(lines).toHaveLength(4)
    expect(lines.join('\n')).toContain('net/c1/eth0')
  })
})

describe('completeAddressing()', () => {
  const complete = (keys: object, ipam: object) => completeAddressing(parseBridgeConf(callOf(keys)), ipam as Result)
  test('leaves a missing gateway out without isGateway', () => {
    expect(complete({}, { ips: [{ address: '10.1.0.5/24' }] }).ips).toEqual([{ address: '10.1.0.5/24' }])
  })
  test('takes the first address of the subnet with isGateway', () => {
    expect(complete({ isGateway: true }, { ips: [{ address: '10.1.3.5/22' }] }).ips[0]?.gateway).toBe('10.1.0.1')
  })
  test('adds no default route where IPAM gave one with a gateway', () => {
    const routes = [{ dst: '0.0.0.0/0', gw: '10.1.0.254' }]
    expect(complete({ isDefaultGateway: true }, { ips: [{ address: '10.1.0.5/24' }], routes }).routes).toEqual(routes)
  })
})
