/** loopback, bridge, ptp. */
import type { Bed } from './bed.ts'
import {
  addressGone,
  allRulesGone,
  inNode,
  inPod,
  linkDown,
  linkGone,
  macWrong,
  oneRuleGone,
  reservationGone,
  reservationTaken,
  routeGone,
} from './damage.ts'
import type { Profile } from './profile.ts'
import type { Json } from './version.ts'

export const SUBNET = '10.77.0.0/24'
export const OTHER_SUBNET = '10.79.0.0/24'
/** The `ipam` section: one pool, its reservations in the bed's folder. */
export const hostLocalIn = (bed: Bed, subnet = SUBNET): Json => ({
  type: 'host-local',
  dataDir: `${bed.folder}/ipam`,
  ranges: [[{ subnet }]],
  routes: [{ dst: '0.0.0.0/0' }],
})

const COMMON = [
  linkGone,
  linkDown,
  addressGone,
  routeGone,
  macWrong,
  oneRuleGone,
  allRulesGone,
  reservationGone,
  reservationTaken,
]

const loopback: Profile = {
  plugin: 'loopback',
  kind: 'main',
  since: '0.1.0',
  conf: () => ({}),
  wrong: { prevResult: 'nothing' },
  drifts: [
    inPod('interface down', () => 'ip link set lo down'),
    inPod('address gone', () => 'ip addr del 127.0.0.1/8 dev lo'),
  ],
}

const bridge: Profile = {
  plugin: 'bridge',
  kind: 'main',
  since: '0.1.0',
  conf: (bed) => ({ bridge: 'pwbr0', isGateway: true, ipMasq: true, ipam: hostLocalIn(bed) }),
  otherNetwork: (bed) => ({ bridge: 'pwbr1', ipam: hostLocalIn(bed, OTHER_SUBNET) }),
  wrong: { vlan: 5000 },
  drifts: [...COMMON, inNode('not on the bridge', ({ hostEnd }) => `ip link set ${hostEnd} nomaster`)],
}

const ptp: Profile = {
  plugin: 'ptp',
  kind: 'main',
  since: '0.1.0',
  conf: (bed) => ({ ipMasq: true, ipam: hostLocalIn(bed) }),
  otherNetwork: (bed) => ({ ipam: hostLocalIn(bed, OTHER_SUBNET) }),
  wrong: { mtu: 'big' },
  drifts: [
    ...COMMON,
    inNode('route to the pod gone', ({ facts }) => `ip route del ${facts.ips[0]?.address.split('/')[0]}/32`),
    inNode('host end down', ({ hostEnd }) => `ip link set ${hostEnd} down`),
  ],
}

export const MAIN: readonly Profile[] = [loopback, bridge, ptp]
