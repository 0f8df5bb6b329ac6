/** flannel and vxlan. What their node has before any attachment stands in hidden files, so that it is no state of one: for
 *  flannel what an agent would have written, for vxlan the store of leases. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
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
const writeLease = ({ folder }: Bed, file: string, ipv4 = '10.77.0.1/24', ipv6 = 'fd77::1/64'): void =>
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

/** Of what the delegate makes. */
const OF_BRIDGE: readonly Drift[] = [
  linkGone,
  linkDown,
  addressGone,
  routeGone,
  macWrong,
  reservationGone,
  reservationTaken,
  inNode('not on the bridge', ({ hostEnd }) => `ip link set ${hostEnd} nomaster`),
]

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
  cramp: (bed) => writeLease(bed, LEASE, '10.77.0.1/27'),
  smallPool: (bed) => ({ subnetFile: `${bed.folder}/${FULL_LEASE}` }),
  otherNetwork: (bed) => flannelIn(bed, OTHER_LEASE, 'pwbr1'),
  wrong: { delegate: { ipam: {} } },
  drifts: [...OF_BRIDGE, oneRuleGone, allRulesGone, otherLease, noLease],
}

interface Overlay {
  /** Of the bed's folder. */
  readonly store: string
  readonly vni: number
  /** Of IPv4; the first subnet is this node's. */
  readonly network: string
  readonly subnetLen: number
}

const OWN: Overlay = { store: '.store', vni: 7, network: '10.77.0.0', subnetLen: 24 }
const OTHER: Overlay = { store: '.other', vni: 9, network: '10.79.0.0', subnetLen: 24 }
/** Subnets of one address for pods. */
const FULL: Overlay = { store: '.full', vni: 8, network: '10.78.0.0', subnetLen: 30 }

/** In it this node has the first subnet, and a peer one of those behind. */
const writeStore = ({ folder }: Bed, { store, vni, network, subnetLen }: Overlay): void => {
  const ipv6 = `fd${network.slice(3, 5)}::`
  const netConf = {
    ...{ Network: `${network}/16`, SubnetLen: subnetLen, SubnetMin: network },
    ...{ EnableIPv6: true, IPv6Network: `${ipv6}/48`, IPv6SubnetLen: 64, IPv6SubnetMin: ipv6 },
    Backend: { Type: 'vxlan', VNI: vni, Port: 8000 + vni },
  }
  const leaseOf = (node: number, mac = `0e:00:00:00:0${vni}:0${node}`): object => ({
    ...{ PublicIP: `192.0.2.${node}`, PublicIPv6: `2001:db8::${node}`, BackendType: 'vxlan' },
    ...{ BackendData: { VNI: vni, VtepMAC: mac }, BackendV6Data: { VNI: vni, VtepMAC: mac } },
  })
  const subnets = `${folder}/${store}/subnets`
  mkdirSync(subnets, { recursive: true })
  writeFileSync(`${folder}/${store}/config.json`, JSON.stringify(netConf))
  writeFileSync(`${subnets}/${network}-${subnetLen}&${ipv6}-64.json`, JSON.stringify(leaseOf(1)))
  const peer = `${network.replace('.0.0', '.5.0')}-${subnetLen}&${ipv6.replace('::', ':0:0:5::')}-64`
  writeFileSync(`${subnets}/${peer}.json`, JSON.stringify(leaseOf(2)))
}

const vxlanIn = ({ folder }: Bed, { store }: Overlay, bridge: string): Json => ({
  store: { dir: `${folder}/${store}` },
  iface: ['up0'],
  dataDir: `${folder}/vxlan`,
  delegate: { bridge, isGateway: true },
  ipam: { dataDir: `${folder}/ipam` },
})

/** The interface that leads to the other nodes, which are not there. */
const UNDERLAY = `
  ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up
  ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad`

const vxlan: Profile = {
  plugin: 'vxlan',
  kind: 'main',
  delegates: true,
  since: '0.1.0',
  prepareNode: async (bed) => {
    await bed.shell(UNDERLAY)
    for (const overlay of [OWN, OTHER, FULL]) writeStore(bed, overlay)
  },
  conf: (bed) => ({
    ...vxlanIn(bed, OWN, 'pwbr0'),
    ipam: { dataDir: `${bed.folder}/ipam`, routes: [{ dst: '0.0.0.0/0' }] },
  }),
  cramp: (bed) => {
    rmSync(`${bed.folder}/${OWN.store}`, { recursive: true })
    writeStore(bed, { ...OWN, subnetLen: 27 })
  },
  smallPool: (bed) => vxlanIn(bed, FULL, 'pwbr8'),
  otherNetwork: (bed) => vxlanIn(bed, OTHER, 'pwbr1'),
  wrong: { publicIP: 'here' },
  drifts: [
    ...OF_BRIDGE,
    inNode('device gone', () => 'ip link del flannel.7'),
    inNode('device down', () => 'ip link set flannel.7 down'),
    inNode('address of the device gone', () => 'ip addr flush dev flannel.7'),
    inNode('route to a peer gone', () => 'ip route del 10.77.5.0/24 dev flannel.7'),
    inNode('IPv6 neighbour gone', () => 'ip neigh del fd77:0:0:5:: dev flannel-v6.7'),
    inNode('forwarding entry gone', () => 'bridge fdb del 0e:00:00:00:07:02 dev flannel.7 dst 192.0.2.2'),
    inNode('masquerading gone', () => 'nft delete table inet podwire-overlay-7'),
  ],
}

export const OVERLAY: readonly Profile[] = [flannel, vxlan]
