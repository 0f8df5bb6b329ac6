import { expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import { renderPlan } from '../../kernel/apply.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { MasqueradeOptions } from '../../overlay/masquerade.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { planOverlay, wholePlan } from './plan.ts'

const OPTIONS: MasqueradeOptions = { backend: 'nftables', ipMasq: true, randomFully: true, forwardRules: false }

const leaseOf = (n: number, vni: number): Lease => ({
  key: `10.244.${n}.0-24`,
  subnet: `10.244.${n}.0/24` as Cidr,
  publicIP: `192.0.2.${n}` as Ip,
  backendType: 'vxlan',
  data: { vni, vtepMac: `0e:00:00:00:00:0${n}` as Mac },
  v6Data: {},
})

const nodeOf = (vni: number): OverlayNode => ({
  conf: parseNetConf(`{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": ${vni}}}`),
  underlay: { name: 'eth0', mtu: 1500, ipv4: '192.0.2.1' as Ip, addresses: ['192.0.2.1/24' as Cidr] },
  publicIP: '192.0.2.1' as Ip,
  own: leaseOf(1, vni),
})

const planOf = (vni: number, leases: readonly Lease[], invalid: ReadonlyMap<string, string> = new Map()) =>
  planOverlay(nodeOf(vni), { leases, invalid, anyLength: false }, OPTIONS)

test('planOverlay() has the device, what leaves the overlay, and three entries for each peer but the node itself', () => {
  const plan = planOf(
    1,
    [1, 2, 3].map((n) => leaseOf(n, 1)),
  )
  expect(plan.peers.map(({ kind }) => kind)).toEqual(['neigh', 'neigh', 'route', 'neigh', 'neigh', 'route'])
  const text = renderPlan(wholePlan(plan))
  expect(text).toContain('ip link add flannel.1 address 0e:00:00:00:00:01 mtu 1450 type vxlan id 1')
  expect(text.indexOf('type vxlan')).toBeLessThan(text.indexOf('10.244.2.0/24'))
  expect(plan.scope.devices).toContain('flannel.1')
})

test.for([
  [1, 'podwire-overlay'],
  [7, 'podwire-overlay-7'],
] as const)('planOverlay() of VNI %d masquerades in the table %s', ([vni, name]) =>
  expect(planOf(vni, []).masquerade).toMatchObject([{ kind: 'nft-table', table: { name } }]),
)

test('planOverlay() leaves out what it does not believe, and says why', () => {
  const foreign = { ...leaseOf(4, 1), key: '10.99.0.0-24', subnet: '10.99.0.0/24' as Cidr }
  const plan = planOf(1, [leaseOf(2, 1), foreign], new Map([['10.244.9.0-24', 'it is not JSON']]))
  expect(plan.peers).toHaveLength(3)
  expect([...plan.rejected.keys()].sort()).toEqual(['10.244.9.0-24', '10.99.0.0-24'])
})
