import { expect, test } from 'vitest'
import type { Call } from '../../cni/plugin.ts'
import { type BandwidthConf, parseConf } from './conf.ts'

const callOf = (keys: object): Call =>
  ({ conf: { cniVersion: '1.0.0', name: 'n', type: 'bandwidth', ...keys } }) as Call
const runtime = (bandwidth: object): object => ({ runtimeConfig: { bandwidth } })
const NONE: BandwidthConf = { ingress: undefined, egress: undefined }

const ACCEPTED: readonly (readonly [what: string, keys: object, conf: BandwidthConf])[] = [
  ['no keys', {}, NONE],
  ['an empty capability', runtime({}), NONE],
  ['zeros', { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 }, NONE],
  [
    'one direction',
    { ingressRate: 1000, ingressBurst: 2000 },
    { ingress: { rate: 1000, burst: 2000 }, egress: undefined },
  ],
  [
    'the capability',
    runtime({ egressRate: 8, egressBurst: 8, ingressRate: 10 ** 15, ingressBurst: 2 ** 31 - 1 }),
    { ingress: { rate: 10 ** 15, burst: 2 ** 31 - 1 }, egress: { rate: 8, burst: 8 } },
  ],
  [
    'own keys, which hide the capability',
    { egressRate: 800, egressBurst: 800, ...runtime({ ingressRate: 1000, ingressBurst: 1000 }) },
    { ingress: undefined, egress: { rate: 800, burst: 800 } },
  ],
  ['own zeros, which hide the capability', { egressRate: 0, ...runtime({ egressRate: 800, egressBurst: 800 }) }, NONE],
]

test.for(ACCEPTED)('parseConf() of %s', ([, keys, conf]) => {
  expect(parseConf(callOf(keys))).toEqual(conf)
})

const REFUSED: readonly (readonly [keys: object, message: string])[] = [
  [{ ingressRate: 1000 }, '$.ingressRate: 1000 needs ingressBurst beside it'],
  [{ ingressBurst: 1000, ingressRate: 0 }, '$.ingressBurst: 1000 needs ingressRate beside it'],
  [runtime({ egressRate: 1000 }), '$.runtimeConfig.bandwidth.egressRate: 1000 needs egressBurst beside it'],
  [runtime({ egressBurst: 1000 }), '$.runtimeConfig.bandwidth.egressBurst: 1000 needs egressRate beside it'],
  [{ egressRate: 7, egressBurst: 1000 }, '$.egressRate: 7 is less than a byte'],
  [{ egressRate: 800, egressBurst: 7 }, '$.egressBurst: 7 is less than a byte'],
  [{ ingressRate: 2 ** 60, ingressBurst: 800 }, '$.ingressRate: 1152921504606847000 is above 9007199254740991'],
]

test.for(REFUSED)('parseConf() refuses %o', ([keys, message]) => {
  expect(() => parseConf(callOf(keys))).toThrow(message)
})
