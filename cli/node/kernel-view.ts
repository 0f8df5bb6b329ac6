/** What the kernel has of links, routes and entries: dumped once, looked up for each peer. */
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { operationsOf } from '../../kernel/operations.ts'
import { dumpLinks, type Link } from '../../netlink/link.ts'
import { dumpNeighs, type LinkNeigh } from '../../netlink/neigh.ts'
import { dumpRoutes, type LinkRoute, RT_TABLE_MAIN } from '../../netlink/route.ts'
import { routeTo } from '../../netlink/route-lookup.ts'
import { getWireguard, type WireguardPeer } from '../../netlink/wireguard-dump.ts'
import type { PeerPath, Survey } from './survey.ts'

export interface KernelView {
  readonly link: (name: string) => Link | undefined
  readonly nameOf: (index: number) => string
  /** How a link of the plan differs from it, in words. */
  readonly linkDrift: ReadonlyMap<string, string>
  /** Routes of the table main to exactly this destination. */
  readonly routes: (dst: string) => readonly LinkRoute[]
  /** Index of the link by which packets to an address leave; undefined when there is no way. */
  readonly wayTo: (ip: Ip) => number | undefined
  readonly neigh: (index: number, ip: Ip) => LinkNeigh | undefined
  readonly fdb: (index: number, lladdr: Mac) => readonly LinkNeigh[]
  readonly wireguardPeer: (dev: string, publicKey: string) => WireguardPeer | undefined
}

const grouped = <T>(list: readonly T[], keyOf: (each: T) => string): ReadonlyMap<string, readonly T[]> => {
  const groups = new Map<string, T[]>()
  for (const each of list) {
    const group = groups.get(keyOf(each))
    if (group === undefined) groups.set(keyOf(each), [each])
    else group.push(each)
  }
  return groups
}

const driftOfLinks = ({ base }: Survey, kernel: Kernel): ReadonlyMap<string, string> =>
  new Map(
    base.flatMap((fact): [string, string][] => {
      const drift = fact.kind === 'link' ? operationsOf(fact).drift(fact, kernel) : undefined
      return fact.kind !== 'link' || drift === undefined ? [] : [[fact.name, drift]]
    }),
  )

const wireguardPeersOf = (paths: readonly PeerPath[], kernel: Kernel): ReadonlyMap<string, WireguardPeer> => {
  const devices = new Set(paths.flatMap(({ tunnel }) => tunnel?.dev ?? []))
  return new Map(
    [...devices].flatMap((dev) =>
      (getWireguard(kernel.generic('node'), dev)?.peers ?? []).map(
        (peer) => [`${dev} ${peer.publicKey}`, peer] as const,
      ),
    ),
  )
}

/** @throws NetlinkError */
export const observeKernel = (survey: Survey, paths: readonly PeerPath[], kernel: Kernel): KernelView => {
  const socket = kernel.route('node')
  const links = dumpLinks(socket)
  const main = [...dumpRoutes(socket, 4), ...dumpRoutes(socket, 6)].filter(({ table }) => table === RT_TABLE_MAIN)
  const routes = grouped(main, ({ dst }) => dst)
  const neighs = [...dumpNeighs(socket, 'neigh', 4), ...dumpNeighs(socket, 'neigh', 6)]
  const byIp = new Map(neighs.map((entry) => [`${entry.index} ${entry.ip}`, entry]))
  const byMac = grouped(dumpNeighs(socket, 'fdb', 4), ({ index, lladdr }) => `${index} ${lladdr}`)
  const tunnels = wireguardPeersOf(paths, kernel)
  const ways = new Map(paths.map(({ target }) => [target, routeTo(socket, target)?.index]))
  return {
    link: (name) => links.find((link) => link.name === name),
    nameOf: (index) => links.find((link) => link.index === index)?.name ?? `link ${index}`,
    linkDrift: driftOfLinks(survey, kernel),
    routes: (dst) => routes.get(dst) ?? [],
    wayTo: (ip) => ways.get(ip),
    neigh: (index, ip) => byIp.get(`${index} ${ip}`),
    fdb: (index, lladdr) => byMac.get(`${index} ${lladdr}`) ?? [],
    wireguardPeer: (dev, publicKey) => tunnels.get(`${dev} ${publicKey}`),
  }
}
