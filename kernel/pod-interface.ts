/** What the interface inside a pod must hold once IPAM has answered: the facts that bridge and ptp share. */
import { type Cidr, cidrFamily } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { IpConfig, Route } from '../cni/result.ts'
import type { AddrFact } from './addr.ts'
import type { Plan } from './plan.ts'
import type { RouteFact } from './route.ts'
import type { SysctlFact } from './sysctl.ts'

export interface PodInterface {
  readonly ifName: string
  readonly ips: readonly IpConfig[]
  readonly routes: readonly Route[]
  /** Duplicate address detection runs and ADD waits for its end. */
  readonly dad: boolean
  /** No route to the whole subnet over the link: ptp reaches it through the gateway. */
  readonly noPrefixRoute?: true
}

const DAD_TIMEOUT_MS = 5000
const DEFAULT_ROUTE = { 4: '0.0.0.0/0' as Cidr, 6: '::/0' as Cidr } as const
export const defaultRouteOf = (family: Family) => DEFAULT_ROUTE[family]

const sysctl = (path: string, value: string): SysctlFact => ({ kind: 'sysctl', ns: 'pod', path, value, optional: true })

/** IPv6 on where an IPv6 address goes in, addresses kept while the link is down, a gratuitous ARP when it comes up. */
const sysctls = ({ ifName, ips, dad }: PodInterface): SysctlFact[] => {
  const ipv6 = ips.some(({ address }) => cidrFamily(address) === 6)
  return [
    ...(ipv6
      ? [
          sysctl('net/ipv6/conf/lo/disable_ipv6', '0'),
          sysctl(`net/ipv6/conf/${ifName}/disable_ipv6`, '0'),
          sysctl(`net/ipv6/conf/${ifName}/keep_addr_on_down`, '1'),
        ]
      : []),
    ...(dad ? [sysctl(`net/ipv6/conf/${ifName}/enhanced_dad`, '1')] : []),
    sysctl(`net/ipv6/conf/${ifName}/accept_dad`, dad ? '1' : '0'),
    sysctl(`net/ipv4/conf/${ifName}/arp_notify`, '1'),
  ]
}

const addrFact = ({ ifName, dad, noPrefixRoute }: PodInterface, { address }: IpConfig): AddrFact => ({
  kind: 'addr',
  ns: 'pod',
  dev: ifName,
  address,
  ...(dad ? { dad } : {}),
  ...(noPrefixRoute ? { noPrefixRoute } : {}),
})

/** The gateway of the first address of a family: where a route goes that names none. */
const gatewayOf = (ips: readonly IpConfig[], family: Family): Ip | undefined =>
  ips.find(({ address, gateway }) => gateway !== undefined && cidrFamily(address) === family)?.gateway

/** A route of a result as a fact of the pod's interface. */
export const routeFact = ({ ifName, ips }: PodInterface, { gw, ...route }: Route): RouteFact => {
  const via = gw ?? gatewayOf(ips, cidrFamily(route.dst))
  return { kind: 'route', ns: 'pod', dev: ifName, ...route, ...(via === undefined ? {} : { via }) }
}

/** Addresses before the link comes up (so that it announces them), routes after. */
export const planPodInterface = (pod: PodInterface): Plan => [
  ...sysctls(pod),
  ...pod.ips.map((ip) => addrFact(pod, ip)),
  { kind: 'link-settings', ns: 'pod', name: pod.ifName, settings: { up: true } },
  ...(pod.dad ? [{ kind: 'settle', ns: 'pod', dev: pod.ifName, until: 'dad', timeout: DAD_TIMEOUT_MS } as const] : []),
]

const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const

/** The node forwards each family. */
export const forwardingFacts = (families: readonly Family[]): SysctlFact[] =>
  [...new Set(families)].map((family) => ({ kind: 'sysctl', ns: 'node', path: FORWARDING[family], value: '1' }))
