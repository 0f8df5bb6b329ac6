/** Nodes of `support/underlay.ts` with a VXLAN overlay made by hand, with `ip` and `bridge`, as flannel lays it out:
 *
 *      node N: flannel.1, VNI 1, UDP 8472, 10.244.N.0/32 and fd00:244:0:N::/128, MAC 0e:00:00:00:00:0N
 *      for each peer M: neighbour, forwarding entry and onlink route of 10.244.M.0/24 and fd00:244:0:M::/64 */
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Lease } from '../../overlay/lease.ts'
import { shellIn } from '../support/netns.ts'
import { makeUnderlay, type UnderlayBed, type UnderlayNode } from '../support/underlay.ts'

export interface OverlayNode extends UnderlayNode {
  readonly lease: Lease
}

export interface OverlayBed extends UnderlayBed {
  readonly nodes: readonly OverlayNode[]
}

export const macOfNode = (n: number): Mac => `0e:00:00:00:00:${n.toString(16).padStart(2, '0')}` as Mac

const leaseOf = (n: number, { ipv4, ipv6 }: UnderlayNode): Lease => ({
  key: `10.244.${n}.0-24&fd00:244:0:${n}::-64`,
  subnet: `10.244.${n}.0/24` as Cidr,
  ipv6Subnet: `fd00:244:0:${n}::/64` as Cidr,
  publicIP: ipv4 as Ip,
  publicIPv6: ipv6 as Ip,
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: macOfNode(n) },
  v6Data: {},
})

const deviceScript = (n: number, { ipv4 }: UnderlayNode): string => `
  ip link add flannel.1 address ${macOfNode(n)} mtu 1450 type vxlan id 1 dev eth0 local ${ipv4} dstport 8472 nolearning
  ip link set flannel.1 addrgenmode none
  ip link set flannel.1 up
  ip addr add 10.244.${n}.0/32 dev flannel.1
  ip addr add fd00:244:0:${n}::/128 dev flannel.1 nodad`

const peerScript = (n: number, { ipv4 }: UnderlayNode): string => `
  ip neigh add 10.244.${n}.0 lladdr ${macOfNode(n)} dev flannel.1 nud permanent
  ip neigh add fd00:244:0:${n}:: lladdr ${macOfNode(n)} dev flannel.1 nud permanent
  bridge fdb add ${macOfNode(n)} dev flannel.1 dst ${ipv4} self permanent
  ip route add 10.244.${n}.0/24 via 10.244.${n}.0 dev flannel.1 onlink
  ip -6 route add fd00:244:0:${n}::/64 via fd00:244:0:${n}:: dev flannel.1 onlink`

/** The bed drawn above. */
export const makeOverlay = (count: number, label = 'vxlan'): OverlayBed => {
  const bed = makeUnderlay(count, label)
  for (const [i, node] of bed.nodes.entries()) {
    const peers = bed.nodes.map((peer, j) => (i === j ? '' : peerScript(j + 1, peer)))
    shellIn(node.netns, deviceScript(i + 1, node) + peers.join(''))
  }
  return { ...bed, nodes: bed.nodes.map((node, i) => ({ ...node, lease: leaseOf(i + 1, node) })) }
}
