/** What one node's kernel has, asked over netlink from here: quick enough to time what an agent does. */
import { closeSync, openSync } from 'node:fs'
import type { Ip } from '../../addr/ip.ts'
import { ipBytes, parseIp } from '../../addr/ip.ts'
import { getLink } from '../../netlink/link.ts'
import { NLM_F_REQUEST } from '../../netlink/message.ts'
import { dumpNeighs } from '../../netlink/neigh.ts'
import { dumpRoutes } from '../../netlink/route.ts'
import { routeTo } from '../../netlink/route-lookup.ts'
import { AF_INET, ndmsg, RTM_GETNEIGH } from '../../netlink/rtnetlink.ts'
import { NETLINK_ROUTE, openSocket } from '../../netlink/socket.ts'
import { onCleanup } from '../support/cleanup.ts'
import { pathOf } from '../support/netns.ts'

const DEVICE = 'flannel.1'
const NDA_DST = 1

export interface NodeView {
  /** Index of the overlay's link; undefined while there is none. */
  readonly device: () => number | undefined
  /** True when packets for the subnet whose network address is `base` leave by the overlay. */
  readonly hasRoute: (base: string) => boolean
  /** True when the overlay's link has a neighbour at `base`. */
  readonly hasNeigh: (base: string) => boolean
  /** How many routes with a gateway, neighbours and forwarding entries the overlay's link has. */
  readonly counts: () => { readonly routes: number; readonly neighs: number; readonly fdb: number }
}

/** The first address of a subnet that is a host's. */
const insideOf = (base: string): Ip => parseIp(`${base.slice(0, base.lastIndexOf('.'))}.1`)

/** A view of the node in the namespace `netns`. */
export const viewOf = (netns: string): NodeView => {
  const fd = openSync(pathOf(netns), 'r')
  const socket = openSocket(NETLINK_ROUTE, fd)
  closeSync(fd)
  onCleanup(() => socket.close())
  const device = (): number | undefined => getLink(socket, DEVICE)?.index
  return {
    device,
    hasRoute: (base) => routeTo(socket, insideOf(base))?.index === device(),
    hasNeigh: (base) => {
      const header = ndmsg(AF_INET, device() ?? 0, 0, 0)
      const attrs = [[NDA_DST, ipBytes(parseIp(base))]] as const
      const [reply] = socket.exchange([{ type: RTM_GETNEIGH, flags: NLM_F_REQUEST, header, attrs }])
      return reply?.errno === 0
    },
    counts: () => {
      const index = device()
      return {
        routes: dumpRoutes(socket, 4).filter((route) => route.index === index && route.via !== undefined).length,
        neighs: dumpNeighs(socket, 'neigh', 4).filter((entry) => entry.index === index && entry.permanent).length,
        fdb: dumpNeighs(socket, 'fdb', 4).filter((entry) => entry.index === index).length,
      }
    },
  }
}
