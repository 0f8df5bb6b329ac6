import { expect, test } from 'vitest'
import { renderPlan } from '../kernel/apply.ts'
import { confOf, DUAL, IPV4, nodeOf } from '../test/support/overlay.ts'
import { blackholeFacts } from './blackhole.ts'

test.for([
  [IPV4, 'ip route add blackhole 10.244.1.0/24 proto 112 metric 4096'],
  [
    DUAL,
    'ip route add blackhole 10.244.1.0/24 proto 112 metric 4096\nip route add blackhole fd00:244:0:1::/64 proto 112 metric 4096',
  ],
] as const)('blackholeFacts() has one of each subnet of the own lease: %j', ([families, expected]) => {
  expect(renderPlan(blackholeFacts(nodeOf(1, confOf(families, {})).own))).toBe(expected)
})
