/** What the masquerade of both backends is about. */
import type { Cidr } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import { enabledFamilies, familyConf, subnetOf } from './families.ts'
import type { OverlayNode } from './planner.ts'

/** The network of all pods, and the subnet of this node's, in one family. */
export interface PodNetwork {
  readonly family: Family
  readonly network: Cidr
  readonly own: Cidr
}

/** Never masqueraded: who listens is told who speaks. */
export const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

/** What kube-proxy marks that it will masquerade itself (`--iptables-masquerade-bit`, 14 unless it is set). */
export const KUBE_PROXY_MARK = 0x4000

/** Of each family that is enabled and that the node has a subnet of. */
export const podNetworksOf = ({ conf, own }: Pick<OverlayNode, 'conf' | 'own'>): PodNetwork[] =>
  enabledFamilies(conf).flatMap((family) => {
    const [network, subnet] = [familyConf(conf, family)?.network, subnetOf(own, family)]
    return network === undefined || subnet === undefined ? [] : [{ family, network, own: subnet }]
  })
