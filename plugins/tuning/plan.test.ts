import { expect, test } from 'vitest'
import { parseMac } from '../../addr/mac.ts'
import type { Call } from '../../cni/plugin.ts'
import { renderPlan } from '../../kernel/apply.ts'
import type { TuningConf } from './conf.ts'
import { planTuning, resultOf } from './plan.ts'

const conf: TuningConf = {
  sysctls: [{ key: 'net.ipv4.conf.IFNAME.arp_filter', path: 'net/ipv4/conf/eth0/arp_filter', value: '1' }],
  attributes: { mac: parseMac('02:00:00:00:00:01'), mtu: 1300, promisc: true, allmulti: false, txQLen: 7 },
  dataDir: '/run/cni/tuning',
}
const call = { ifName: 'eth0' } as Call

test('planTuning() sets sysctls, then the attributes', () => {
  expect(renderPlan(planTuning(conf, 'eth0'))).toBe(
    'sysctl -w net/ipv4/conf/eth0/arp_filter=1\n' +
      'ip link set eth0 address 02:00:00:00:00:01 mtu 1300 txqueuelen 7 promisc on allmulticast off',
  )
  expect(planTuning({ ...conf, sysctls: [], attributes: {} }, 'eth0')).toEqual([])
})

test("resultOf() states the new address and MTU of the container's interface alone", () => {
  const prevResult = {
    interfaces: [
      { name: 'eth0', mac: 'aa' },
      { name: 'eth0', sandbox: '/ns', mac: 'bb', mtu: 1500 },
      { name: 'eth1', sandbox: '/ns' },
    ],
  }
  expect(resultOf(conf, call, prevResult).interfaces).toEqual([
    { name: 'eth0', mac: 'aa' },
    { name: 'eth0', sandbox: '/ns', mac: '02:00:00:00:00:01', mtu: 1300 },
    { name: 'eth1', sandbox: '/ns' },
  ])
})

test('resultOf() is prevResult itself when nothing in it changes', () => {
  const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/ns' }] }
  expect(resultOf({ ...conf, attributes: { promisc: true } }, call, prevResult)).toBe(prevResult)
  const empty = {}
  expect(resultOf(conf, call, empty)).toBe(empty)
})
