import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipOf } from '../addr/ip.ts'
import { decodeAttrs, encodeAttrs } from './message.ts'
import { decodeTunnel, type Tunnel, tunnelAttrs } from './tunnel.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(ipOf)
const link = fc.nat(0x7fffffff)
const vxlans = fc.record({
  kind: fc.constant('vxlan' as const),
  vni: fc.integer({ min: 1, max: 0xffffff }),
  port: fc.nat(0xffff),
  local: fc.oneof(bytes(4), bytes(16)),
  link,
  learning: fc.boolean(),
  gbp: fc.boolean(),
})
const remote = bytes(4).filter((ip) => ip !== '0.0.0.0')
const tunnels: fc.Arbitrary<Tunnel> = fc.oneof(
  vxlans,
  fc.tuple(vxlans, remote).map(([vxlan, ip]) => ({ ...vxlan, remote: ip })),
  fc.record(
    { kind: fc.constant('ipip' as const), local: bytes(4), link, remote },
    { requiredKeys: ['kind', 'local', 'link'] },
  ),
)

test('decodeTunnel() gives back what tunnelAttrs() says', () => {
  fc.assert(
    fc.property(tunnels, (tunnel) => {
      expect(decodeTunnel(tunnel.kind, decodeAttrs(encodeAttrs(tunnelAttrs(tunnel))))).toEqual(tunnel)
    }),
  )
})

test('decodeTunnel() knows no other kind', () => {
  expect(decodeTunnel('bridge', new Map())).toBeUndefined()
  expect(decodeTunnel('', new Map())).toBeUndefined()
})
