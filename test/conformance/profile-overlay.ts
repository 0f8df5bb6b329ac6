/** flannel: what its node's agent would have written stands in a hidden file, so that it is no state of an attachment. */
import { writeFileSync } from 'node:fs'
import type { Bed } from './bed.ts'
import {
  addressGone,
  allRulesGone,
  inNode,
  linkDown,
  linkGone,
  macWrong,
  oneRuleGone,
  reservationGone,
  reservationTaken,
  routeGone,
} from './damage.ts'
import type { Drift, Profile } from './profile.ts'
import type { Json } from './version.ts'

/** What an agent writes for a lease (flannel pkg/subnet/subnet.go WriteSubnetFile). */
export const writeLease = ({ folder }: Bed, file: string, ipv4 = '10.77.0.1/24', ipv6 = 'fd77::1/64'): void =>
  writeFileSync(
    `${folder}/${file}`,
    `FLANNEL_NETWORK=10.76.0.0/14\nFLANNEL_SUBNET=${ipv4}\nFLANNEL_IPV6_NETWORK=fd77::/48\nFLANNEL_IPV6_SUBNET=${ipv6}\n` +
      'FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
  )

const LEASE = '.subnet.env'
const OTHER_LEASE = '.other.env'
/** Of one family one address: an attachment takes it, and the next finds none. */
const FULL_LEASE = '.full.env'

const flannelIn = ({ folder }: Bed, lease: string, bridge: string): Json => ({
  subnetFile: `${folder}/${lease}`,
  dataDir: `${folder}/flannel`,
  delegate: { bridge, isGateway: true },
  ipam: { dataDir: `${folder}/ipam` },
})

const otherLease: Drift = {
  what: 'the lease of another subnet',
  damage: async ({ bed }) => {
    writeLease(bed, '.changed.env', '10.78.0.1/24')
    return { subnetFile: `${bed.folder}/.changed.env` }
  },
}

const noLease: Drift = {
  what: 'no lease any more',
  damage: async ({ bed }) => ({ subnetFile: `${bed.folder}/.none.env` }),
}

const flannel: Profile = {
  plugin: 'flannel',
  kind: 'main',
  delegates: true,
  since: '0.1.0',
  prepareNode: async (bed) => {
    writeLease(bed, LEASE)
    writeLease(bed, OTHER_LEASE, '10.79.0.1/24', 'fd77:0:0:9::1/64')
    writeLease(bed, FULL_LEASE, '10.77.0.1/30')
  },
  conf: (bed) => ({
    ...flannelIn(bed, LEASE, 'pwbr0'),
    ipam: { dataDir: `${bed.folder}/ipam`, routes: [{ dst: '0.0.0.0/0' }] },
  }),
  smallPool: (bed) => ({ subnetFile: `${bed.folder}/${FULL_LEASE}` }),
  otherNetwork: (bed) => flannelIn(bed, OTHER_LEASE, 'pwbr1'),
  wrong: { delegate: { ipam: {} } },
  drifts: [
    linkGone,
    linkDown,
    addressGone,
    routeGone,
    macWrong,
    oneRuleGone,
    allRulesGone,
    reservationGone,
    reservationTaken,
    inNode('not on the bridge', ({ hostEnd }) => `ip link set ${hostEnd} nomaster`),
    otherLease,
    noLease,
  ],
}

export const OVERLAY: readonly Profile[] = [flannel]
