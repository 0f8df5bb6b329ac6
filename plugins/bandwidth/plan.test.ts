import { expect, test } from 'vitest'
import { renderPlan } from '../../kernel/apply.ts'
import type { Owner } from '../../kernel/owner.ts'
import { ifbOf, upstreamIfbOf } from './ifb.ts'
import { planBandwidth, resultOf } from './plan.ts'

const owner: Owner = { network: 'pods', containerID: 'c1', ifName: 'eth0' }
const ifb = ifbOf(owner)
const host = { name: 'veth0', mtu: 1450 }
const limit = { rate: 8_000_000, burst: 1_000_000 }

const INGRESS = 'tc qdisc add dev veth0 root handle 1: tbf rate 1000000bps burst 125000b limit 150000b'
const EGRESS = [
  `ip link add ${ifb.name} address ${ifb.mac} mtu 1450 type ifb`,
  `ip link set ${ifb.name} alias pods/c1/eth0 up`,
  `tc qdisc add dev ${ifb.name} root handle 1: tbf rate 1000000bps burst 125000b limit 150000b`,
  'tc qdisc add dev veth0 ingress',
  `tc filter add dev veth0 parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ${ifb.name}`,
]

test.for([
  ['neither direction', { ingress: undefined, egress: undefined }, []],
  ['what the container receives', { ingress: limit, egress: undefined }, [INGRESS]],
  ['what the container sends', { ingress: undefined, egress: limit }, EGRESS],
  ['both', { ingress: limit, egress: limit }, [INGRESS, ...EGRESS]],
] as const)('planBandwidth() of %s', ([, conf, commands]) => {
  expect(renderPlan(planBandwidth(conf, owner, host, ifb))).toBe(commands.join('\n'))
})

test('planBandwidth() expects no alias and no address of an ifb that upstream made', () => {
  const plan = planBandwidth({ ingress: undefined, egress: limit }, owner, host, upstreamIfbOf(owner))
  expect(plan[0]).toEqual({
    kind: 'link',
    ns: 'node',
    name: 'bwp48c5963fc74e',
    device: { kind: 'ifb' },
    settings: { up: true },
    birth: { mtu: 1450 },
  })
})

test('ifbOf() tells two interfaces of one container apart, and any two splits of the same letters', () => {
  const owners = [owner, { ...owner, ifName: 'eth1' }, { ...owner, network: 'pod', containerID: 'sc1' }]
  const names = owners.map((one) => ifbOf(one).name)
  expect(new Set(names).size).toBe(3)
  for (const name of names) expect(name).toMatch(/^bwp[0-9a-f]{12}$/)
})

test('resultOf() adds the ifb behind the interfaces, and passes the result itself on without one', () => {
  const prevResult = { interfaces: [{ name: 'veth0' }, { name: 'eth0', sandbox: '/run/netns/x' }] }
  expect(resultOf({ ingress: limit, egress: undefined }, ifb, prevResult)).toBe(prevResult)
  expect(resultOf({ ingress: undefined, egress: limit }, ifb, prevResult).interfaces).toEqual([
    ...prevResult.interfaces,
    { name: ifb.name, mac: ifb.mac },
  ])
})
