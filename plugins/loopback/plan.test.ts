import { expect, test } from 'vitest'
import { type Cidr, parseCidr } from '../../addr/cidr.ts'
import { renderPlan } from '../../kernel/apply.ts'
import { callOf } from '../../test/support/call.ts'
import { parseConf } from './conf.ts'
import { plugin } from './main.ts'
import { isLoopback, loopbackAddresses, planLoopback, resultOf } from './plan.ts'

test('planLoopback() states that lo is up', () => expect(renderPlan(planLoopback())).toContain('ip link set lo up'))

test('resultOf() states the interface and its addresses', () => {
  const call = callOf({}, { netns: '/run/netns/a', ifName: 'eth7' })
  expect(resultOf(call, loopbackAddresses())).toEqual({
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/a' }],
    ips: [
      { address: '127.0.0.1/8', interface: 0 },
      { address: '::1/128', interface: 0 },
    ],
  })
})

test('resultOf() is the previous result itself when there is one', () => {
  const prevResult = { ips: [{ address: '10.0.0.1/8' as Cidr }] }
  expect(resultOf(callOf({}, { prevResult }), loopbackAddresses())).toBe(prevResult)
})

test.each([
  ['127.0.0.1/8', true],
  ['127.9.9.9/32', true],
  ['::1/128', true],
  ['::2/128', false],
  ['12.7.0.1/8', false],
  ['10.0.0.1/24', false],
])('isLoopback() of %s is %s', (address, expected) => expect(isLoopback(parseCidr(address))).toBe(expected))

test('the preview is what ADD does', () => {
  const call = callOf({}, { ifName: 'lo' })
  expect(plugin.preview?.(parseConf(call), call)).toEqual({
    plan: planLoopback(),
    result: resultOf(call, loopbackAddresses()),
  })
})
