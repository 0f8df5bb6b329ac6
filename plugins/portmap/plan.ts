/** What the node must hold for a pod's ports to be published. Pure. */
import { type Cidr, cidrFamily } from '../../addr/cidr.ts'
import type { Owner } from '../../kernel/owner.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { SysctlFact } from '../../kernel/sysctl.ts'
import type { PortmapConf } from './conf.ts'
import { iptablesFacts } from './iptables.ts'
import { mappingsOf, nftFact } from './nftables.ts'

/** The first address of each family: where mappings lead. */
export const targetsOf = (addresses: readonly Cidr[]): readonly Cidr[] =>
  ([4, 6] as const).flatMap((family) => addresses.filter((address) => cidrFamily(address) === family).slice(0, 1))

/** Lets packets from 127.0.0.0/8 leave by the link behind which the pod is. Documentation/networking/ip-sysctl.rst */
const routeLocalnet = (dev: string): SysctlFact => ({
  kind: 'sysctl',
  ns: 'node',
  path: `net/ipv4/conf/${dev}/route_localnet`,
  value: '1',
})

/** @param addresses of the pod, with the prefix lengths of their subnets
 *  @param dev the node's link to the pod's IPv4 address; undefined when it has none */
export const planPortmap = (
  conf: PortmapConf,
  owner: Owner,
  addresses: readonly Cidr[],
  dev: string | undefined,
): Plan => {
  const targets = targetsOf(addresses).filter((pod) => mappingsOf(conf.mappings, cidrFamily(pod)).length > 0)
  if (targets.length === 0) return []
  const needsLocalnet = conf.snat && dev !== undefined && targets.some((pod) => cidrFamily(pod) === 4)
  return [
    ...(conf.backend === 'iptables' ? iptablesFacts(conf, owner, targets) : [nftFact(conf, owner, targets)]),
    ...(needsLocalnet ? [routeLocalnet(dev)] : []),
  ]
}
