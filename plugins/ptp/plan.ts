/** What the kernel must hold for one attachment by veth pair and routes: the pod reaches everything, its own subnet too,
 *  through the gateway, which is a /32 (or /128) on the host end; the node reaches the pod by a host route. Pure. */
import { addressOf, cidrFamily, hostCidr, networkOf } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import type { Addressing } from '../../cni/prev-result.ts'
import type { IpConfig } from '../../cni/result.ts'
import type { Ends } from '../../kernel/ends.ts'
import { masqueradeFacts } from '../../kernel/masquerade.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { forwardingFacts, planPodInterface, routeFact } from '../../kernel/pod-interface.ts'
import type { PtpConf } from './conf.ts'

/** An address whose gateway IPAM named. */
type Routed = IpConfig & { readonly gateway: Ip }

/** @throws CniError 7 for an address without a gateway: there is nothing to route it through */
export const requireGateways = (ips: readonly IpConfig[]): readonly Routed[] =>
  ips.map((ip) => {
    if (ip.gateway !== undefined) return { ...ip, gateway: ip.gateway }
    throw new CniError(
      ERR_CONFIG,
      `ipam gave ${ip.address} without a gateway, and ptp routes a pod through one`,
      'set "gateway" for this range or address in $.ipam',
    )
  })

const pairFact = (conf: PtpConf, ends: Ends, owner: Owner): Fact => {
  const birth = conf.mtu === undefined ? {} : { mtu: conf.mtu }
  const macOf = (mac: typeof ends.pod.mac) => (mac === undefined ? {} : { mac })
  return {
    kind: 'link',
    ns: 'node',
    name: ends.host.name,
    device: { kind: 'veth', peer: { ns: 'pod', name: ends.pod.name, settings: macOf(ends.pod.mac), birth } },
    settings: { ...macOf(ends.host.mac), ...(ends.owned ? { alias: commentOf(owner) } : {}) },
    birth,
  }
}

/** The host end meets nobody but its pod: no router to listen to, and no duplicate to wait a second for before the node can
 *  ask for the pod's IPv6 neighbour. */
const quietFacts = (dev: string): Fact[] =>
  (['accept_ra', 'accept_dad'] as const).map((name) => ({
    kind: 'sysctl',
    ns: 'node',
    path: `net/ipv6/conf/${dev}/${name}`,
    value: '0',
    optional: true,
  }))

const hostFacts = (dev: string, { address, gateway }: Routed): Fact[] => [
  { kind: 'addr', ns: 'node', dev, address: hostCidr(gateway) },
  { kind: 'route', ns: 'node', dev, dst: hostCidr(addressOf(address)) },
]

/** The gateway on the link, and the subnet through it. */
const podRoutes = (dev: string, { address, gateway }: Routed): Fact[] => {
  const src = addressOf(address)
  const subnet = networkOf(address)
  return [
    { kind: 'route', ns: 'pod', dev, dst: hostCidr(gateway), src },
    ...(subnet === hostCidr(src) ? [] : [{ kind: 'route', ns: 'pod', dev, dst: subnet, via: gateway, src } as const]),
  ]
}

/** The plan of one attachment. */
export const planPtp = (
  conf: PtpConf,
  owner: Owner,
  ends: Ends,
  ips: readonly Routed[],
  { routes }: Addressing,
): Plan => {
  const pod = { ifName: ends.pod.name, ips, routes, dad: false, noPrefixRoute: true } as const
  return [
    pairFact(conf, ends, owner),
    ...quietFacts(ends.host.name),
    { kind: 'link-settings', ns: 'node', name: ends.host.name, settings: { up: true } },
    ...planPodInterface(pod),
    ...ips.flatMap((ip) => hostFacts(ends.host.name, ip)),
    ...ips.flatMap((ip) => podRoutes(ends.pod.name, ip)),
    ...routes.map((route) => routeFact(pod, route)),
    ...(conf.ipMasq && ends.owned
      ? masqueradeFacts(
          conf.ipMasqBackend,
          owner,
          ips.map(({ address }) => address),
        )
      : []),
    ...forwardingFacts(ips.map(({ address }) => cidrFamily(address))),
  ]
}
