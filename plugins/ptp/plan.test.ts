import { expect, test } from 'vitest'
import type { Result } from '../../cni/result.ts'
import { renderPlan } from '../../kernel/apply.ts'
import { derivedEnds } from '../../kernel/ends.ts'
import { callOf } from '../../test/support/call.ts'
import { parsePtpConf } from './conf.ts'
import { planPtp, requireGateways } from './plan.ts'

const OWNER = { network: 'net', containerID: 'c1', ifName: 'eth0' }
const ENDS = derivedEnds(OWNER, undefined)
const HOST = ENDS.host.name

const linesOf = (ipam: object): string[] => {
  const { ips = [], routes = [] } = ipam as Result
  const plan = planPtp(parsePtpConf(callOf({})), OWNER, ENDS, requireGateways(ips), { ips, routes })
  return renderPlan(plan).split('\n')
}

test('planPtp() routes the pod through the gateway and the node to the pod', () => {
  const lines = linesOf({
    ips: [
      { address: '10.1.0.5/24', gateway: '10.1.0.1' },
      { address: 'fd00::5/64', gateway: 'fd00::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '10.9.0.0/16', gw: '10.1.0.9', mtu: 1300 }],
  })
  expect(lines.filter((line) => !line.startsWith('sysctl'))).toEqual([
    `ip link add ${HOST} address ${ENDS.host.mac} type veth peer name eth0 netns pod address ${ENDS.pod.mac}`,
    `ip link set ${HOST} alias net/c1/eth0`,
    `ip link set ${HOST} up`,
    'ip addr add 10.1.0.5/24 broadcast + dev eth0 noprefixroute',
    'ip addr add fd00::5/64 dev eth0 nodad noprefixroute',
    'ip link set eth0 up',
    `ip addr add 10.1.0.1/32 dev ${HOST}`,
    `ip route add 10.1.0.5/32 dev ${HOST}`,
    `ip addr add fd00::1/128 dev ${HOST} nodad`,
    `ip route add fd00::5/128 dev ${HOST}`,
    'ip route prepend 10.1.0.1/32 dev eth0 src 10.1.0.5',
    'ip route prepend 10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.5',
    'ip route prepend fd00::1/128 dev eth0 src fd00::5',
    'ip route prepend fd00::/64 via fd00::1 dev eth0 src fd00::5',
    'ip route prepend 0.0.0.0/0 via 10.1.0.1 dev eth0',
    'ip route prepend 10.9.0.0/16 via 10.1.0.9 dev eth0 mtu 1300',
  ])
})

test('planPtp() routes no subnet of one address to itself', () => {
  expect(
    linesOf({ ips: [{ address: '10.1.0.5/32', gateway: '10.1.0.1' }] }).filter((line) =>
      line.includes('route add 10.1.0.5/32 via'),
    ),
  ).toEqual([])
})

test('requireGateways() refuses an address that nothing routes', () => {
  expect(() => linesOf({ ips: [{ address: '10.1.0.5/24' }] })).toThrow('ipam gave 10.1.0.5/24 without a gateway')
})
