import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cidr, overlaps, parseCidr } from '../addr/cidr.ts'
import { parseIp } from '../addr/ip.ts'
import type { Json, JsonObject } from '../cni/plugin.ts'
import { confOf, DUAL, IPV4, keyOf, leaseOf, macOf, nodeOf, siteOf } from '../test/support/overlay.ts'
import { type Admission, type AdmissionRules, makeAdmission } from './admission.ts'
import type { Lease } from './lease.ts'

const rulesOf = (families: JsonObject, backend: Json, anyLength = false): AdmissionRules => ({
  node: nodeOf(1, confOf(families, backend)),
  anyLength,
})
const VXLAN = rulesOf(IPV4, {})
const lease = ({ node }: AdmissionRules, n: number, changes: Partial<Lease> = {}): Lease => ({
  ...leaseOf(n, siteOf(n, node.conf)),
  ...changes,
})
const keys = (admission: Admission): string[] => [...admission.admitted.keys()].sort()

const at = (text: string) => ({ publicIP: parseIp(text) })
const has = (text: string) => ({ subnet: parseCidr(text) })

test('set() admits a lease that nothing speaks against, and rejects one that something does', () => {
  const admission = makeAdmission(VXLAN)
  const [good, bad] = [lease(VXLAN, 2), lease(VXLAN, 3, has('0.0.0.0/0'))]
  expect(admission.set(good)).toEqual({ admitted: [good], withdrawn: [] })
  expect(admission.set(bad)).toEqual({ admitted: [], withdrawn: [] })
  expect([...admission.admitted.values()]).toEqual([good])
  expect(Object.fromEntries(admission.rejected)).toEqual({
    [bad.key]: 'its subnet 0.0.0.0/0 is not inside the network 10.244.0.0/16',
  })
})

test('set() admits a lease of one family where both are on', () => {
  const rules = rulesOf(DUAL, {})
  const admission = makeAdmission(rules)
  admission.set(lease(VXLAN, 2))
  expect(keys(admission)).toEqual(['10.244.2.0-24'])
})

test('set() admits a subnet of another length where podCIDRs say so, unless it overlaps', () => {
  const admission = makeAdmission({ ...VXLAN, anyLength: true })
  admission.set(lease(VXLAN, 2, { key: 'a', ...has('10.244.2.0/25') }))
  admission.set(lease(VXLAN, 3, { key: 'b', ...has('10.244.2.64/26') }))
  admission.set(lease(VXLAN, 4, { key: 'c', ...has('10.244.2.0/23') }))
  admission.set(lease(VXLAN, 5, { key: 'd', ...has('10.244.0.0/23') }))
  expect(keys(admission)).toEqual(['a'])
  expect(Object.fromEntries(admission.rejected)).toEqual({
    b: 'its subnet 10.244.2.64/26 overlaps that of the lease a, which came first',
    c: 'its subnet 10.244.2.0/23 overlaps that of the lease a, which came first',
    d: "its subnet 10.244.0.0/23 overlaps 10.244.1.0/24, this node's own",
  })
})

test('set() takes no notice of the own lease', () => {
  const admission = makeAdmission(VXLAN)
  expect(admission.set(VXLAN.node.own)).toEqual({ admitted: [], withdrawn: [] })
  expect([...admission.admitted.keys(), ...admission.rejected.keys()]).toEqual([])
})

const K2 = '10.244.2.0-24'
const K3 = '10.244.3.0-24'
const K4 = '10.244.4.0-24'

test.for<[name: string, changes: Partial<Lease>, reason: string]>([
  ['address', at('192.0.2.2'), `its public address 192.0.2.2 is that of the lease ${K2}, which came first`],
  ['MAC', { data: { vni: 1, vtepMac: macOf(2) } }, `its IPv4 VtepMAC 0e:00:00:00:00:02 is that of the lease ${K2}`],
])("set() rejects another peer's %s, and admits it when that peer is gone", ([, changes, reason]) => {
  const admission = makeAdmission(VXLAN)
  const second = lease(VXLAN, 3, changes)
  admission.set(lease(VXLAN, 2))
  admission.set(second)
  expect(keys(admission)).toEqual([K2])
  expect(admission.rejected.get(K3)).toContain(reason)
  expect(admission.remove(K2)).toEqual({ admitted: [second], withdrawn: [K2] })
  expect([...admission.rejected]).toEqual([])
})

test("set() rejects another peer's key, for which the kernel would take away that peer's subnets", () => {
  const rules = rulesOf(IPV4, { Type: 'wireguard' })
  const admission = makeAdmission(rules)
  admission.set(lease(rules, 2))
  admission.set(lease(rules, 3, { data: { publicKey: keyOf(2) } }))
  expect(admission.rejected.get(K3)).toContain(`is that of the lease ${K2}`)
})

test('set() lets one node have one MAC and one key in both families', () => {
  for (const backend of [{}, { Type: 'wireguard' }]) {
    const rules = rulesOf(DUAL, backend)
    const admission = makeAdmission(rules)
    admission.set(lease(rules, 2))
    expect(admission.admitted.size).toBe(1)
  }
})

test('set() says once that a lease is admitted, and again when it has changed', () => {
  const admission = makeAdmission(VXLAN)
  const moved = lease(VXLAN, 2, at('192.0.2.22'))
  admission.set(lease(VXLAN, 2))
  expect(admission.set(lease(VXLAN, 2))).toEqual({ admitted: [], withdrawn: [] })
  expect(admission.set(moved)).toEqual({ admitted: [moved], withdrawn: [] })
  expect(admission.set(lease(VXLAN, 2, at('127.0.0.1')))).toEqual({ admitted: [], withdrawn: [K2] })
})

test('set() of a peer that gives its address up admits who waited for it', () => {
  const admission = makeAdmission(VXLAN)
  const waiting = lease(VXLAN, 3, at('192.0.2.2'))
  const moved = lease(VXLAN, 2, at('192.0.2.22'))
  admission.set(lease(VXLAN, 2))
  admission.set(waiting)
  expect(admission.set(moved)).toEqual({ admitted: [moved, waiting], withdrawn: [] })
})

test('of several that wait the one whose key sorts first is admitted, and the others wait for it', () => {
  const admission = makeAdmission(VXLAN)
  admission.set(lease(VXLAN, 2))
  admission.set(lease(VXLAN, 4, at('192.0.2.2')))
  admission.set(lease(VXLAN, 3, at('192.0.2.2')))
  admission.remove(K2)
  expect(keys(admission)).toEqual([K3])
  expect(admission.rejected.get(K4)).toContain(K3)
  admission.remove(K3)
  expect(keys(admission)).toEqual([K4])
})

test('remove() of a lease that waits ends its waiting', () => {
  const admission = makeAdmission(VXLAN)
  admission.set(lease(VXLAN, 2))
  admission.set(lease(VXLAN, 3, at('192.0.2.2')))
  expect(admission.remove(K3)).toEqual({ admitted: [], withdrawn: [] })
  expect(admission.remove(K2)).toEqual({ admitted: [], withdrawn: [K2] })
  expect([...admission.admitted, ...admission.rejected]).toEqual([])
})

test('invalid() withdraws what was under the key, with the reason', () => {
  const admission = makeAdmission(VXLAN)
  admission.set(lease(VXLAN, 2))
  expect(admission.invalid(K2, '$: it is empty')).toEqual({ admitted: [], withdrawn: [K2] })
  expect(admission.rejected.get(K2)).toBe('$: it is empty')
  admission.remove(K2)
  expect([...admission.rejected]).toEqual([])
})

test('all() forgets what is gone, keeps who came first, and says what changed', () => {
  const admission = makeAdmission(VXLAN)
  const [second, third] = [lease(VXLAN, 2), lease(VXLAN, 3)]
  const rival = lease(VXLAN, 4, { ...at('192.0.2.3'), key: '10.244.0.0-24' })
  admission.all([third, second], new Map())
  expect(admission.all([rival, third], new Map([[K4, 'no lease']]))).toEqual({ admitted: [], withdrawn: [K2] })
  expect(keys(admission)).toEqual([K3])
  expect([...admission.rejected.keys()].sort()).toEqual(['10.244.0.0-24', K4])
})

test('all() after a restart admits of two that conflict the one whose key sorts first, in whichever order they come', () => {
  const rivals = [lease(VXLAN, 2), lease(VXLAN, 3, at('192.0.2.2'))]
  for (const leases of [rivals, rivals.toReversed()]) {
    const admission = makeAdmission(VXLAN)
    admission.all(leases, new Map())
    expect(keys(admission)).toEqual([K2])
  }
})

test('all() of a new admission keeps who came first in the one before', () => {
  const before = makeAdmission(VXLAN)
  const rivals = [lease(VXLAN, 2), lease(VXLAN, 3, at('192.0.2.2'))] as const
  before.set(rivals[1])
  before.set(rivals[0])
  const admission = makeAdmission(VXLAN, before.admitted.keys())
  admission.all(rivals, new Map())
  expect(keys(admission)).toEqual([K3])
})

test('all() lets two nodes swap their addresses', () => {
  const admission = makeAdmission(VXLAN)
  admission.all([lease(VXLAN, 2), lease(VXLAN, 3)], new Map())
  const swapped = [lease(VXLAN, 2, at('192.0.2.3')), lease(VXLAN, 3, at('192.0.2.2'))]
  expect(new Set(admission.all(swapped, new Map()).admitted)).toEqual(new Set(swapped))
  expect([...admission.rejected]).toEqual([])
})

const ANY = { ...VXLAN, anyLength: true }
const events = fc.array(
  fc.record({
    key: fc.integer({ min: 2, max: 9 }),
    gone: fc.boolean(),
    subnet: fc.constantFrom('10.244.2.0/24', '10.244.2.0/23', '10.244.2.128/25', '10.244.4.0/24', '10.244.5.0/26'),
    address: fc.integer({ min: 2, max: 5 }),
    mac: fc.integer({ min: 2, max: 5 }),
  }),
  { maxLength: 40 },
)
const conflict = (a: Lease, b: Lease): boolean =>
  overlaps(a.subnet as Cidr, b.subnet as Cidr) || a.publicIP === b.publicIP || a.data.vtepMac === b.data.vtepMac

test('after any events no two admitted leases conflict, none is forgotten, and none waits without a reason', () => {
  fc.assert(
    fc.property(events, (list) => {
      const admission = makeAdmission(ANY)
      const stored = new Map<string, Lease>()
      const mirror = new Map<string, Lease>()
      for (const { key, gone, subnet, address, mac: n } of list) {
        const name = `node-${key}`
        const value = lease(ANY, 2, {
          key: name,
          ...has(subnet),
          ...at(`192.0.2.${address}`),
          data: { vni: 1, vtepMac: macOf(n) },
        })
        const change = gone ? admission.remove(name) : admission.set(value)
        if (gone) stored.delete(name)
        else stored.set(name, value)
        for (const each of change.withdrawn) mirror.delete(each)
        for (const each of change.admitted) mirror.set(each.key, each)
        const admitted = [...admission.admitted.values()]
        expect(Object.fromEntries(mirror)).toEqual(Object.fromEntries(admission.admitted))
        expect([...admission.admitted.keys(), ...admission.rejected.keys()].sort()).toEqual([...stored.keys()].sort())
        for (const a of admitted) for (const b of admitted) expect(a !== b && conflict(a, b)).toBe(false)
        for (const each of admission.rejected.keys())
          expect(admitted.some((other) => conflict(other, stored.get(each) ?? expect.fail(each)))).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})
