import { expect, test } from 'vitest'
import type { Lease } from '../overlay/lease.ts'
import { openLeases } from './leases.ts'
import type { LeaseEvent } from './store/store.ts'

const lease = (key: string, publicIP = '192.0.2.1'): Lease =>
  ({ key, publicIP, backendType: 'vxlan', data: {}, v6Data: {} }) as unknown as Lease
const all = (leases: readonly Lease[], invalid: readonly (readonly [string, string])[] = []): LeaseEvent => ({
  kind: 'all',
  leases,
  invalid: new Map(invalid),
})

test('what is remembered is not known', () => {
  const leases = openLeases()
  leases.remember([lease('a')])
  expect([leases.isKnown(), leases.all()]).toEqual([false, [lease('a')]])
  leases.apply(all([lease('b')]))
  expect([leases.isKnown(), leases.all()]).toEqual([true, [lease('b')]])
})

test.each<[string, readonly LeaseEvent[], readonly string[], readonly string[]]>([
  ['a lease comes', [{ kind: 'set', lease: lease('b') }], ['a', 'b'], ['x']],
  ['a lease goes', [{ kind: 'gone', key: 'a' }], [], ['x']],
  ['a lease turns out to be none', [{ kind: 'invalid', key: 'a', why: 'no JSON' }], [], ['x', 'a']],
  ['what was none becomes a lease', [{ kind: 'set', lease: lease('x') }], ['a', 'x'], []],
  ['what was none goes', [{ kind: 'gone', key: 'x' }], ['a'], []],
  ['all of it is told again', [all([lease('c')])], ['c'], []],
])('openLeases(): %s', (_, events, keys, invalid) => {
  const leases = openLeases()
  leases.apply(all([lease('a')], [['x', 'no subnet']]))
  for (const event of events) leases.apply(event)
  expect(leases.all().map(({ key }) => key)).toEqual(keys)
  expect([...leases.invalid.keys()]).toEqual(invalid)
})
