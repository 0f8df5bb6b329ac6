/** A route that the kernel refuses because of another one: to the same destination with the same metric (EEXIST), or, in
 *  IPv6, over another link to where the gateway of an onlink route is (EINVAL: ip6_route_check_nh_onlink). flanneld's and
 *  our own give way; somebody else's stays. */
import { cidrFamily, networkOf } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import { EINVAL, NetlinkError } from '../netlink/error.ts'
import { getLinkAt } from '../netlink/link.ts'
import {
  delRoute,
  dumpAnyRoutes,
  type LinkRoute,
  priorityOf,
  type RouteSpec,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  RTN_UNICAST,
  RTPROT_BOOT,
  RTPROT_PODWIRE,
  replaceRoute,
} from '../netlink/route.ts'
import type { NetlinkSocket, Refusal } from '../netlink/socket.ts'
import { renderWrite, type Write } from './entry.ts'
import type { Kernel } from './kernel.ts'
import type { Log } from './outcome.ts'
import type { Ns } from './plan.ts'

export interface Contest {
  readonly write: Write
  readonly route: RouteSpec
  /** Of its link. */
  readonly index: number
  readonly refusal: Refusal
}

/** flanneld gives its routes no protocol. */
export const givesWay = ({ protocol }: { readonly protocol: number }): boolean =>
  protocol === RTPROT_BOOT || protocol === RTPROT_PODWIRE

/** Neither flanneld nor podwire makes routes of another type. */
const isForeign = (holder: LinkRoute): boolean =>
  !givesWay(holder) || (holder.type !== RTN_UNICAST && holder.type !== RTN_BLACKHOLE)

/** What the kernel has at most one route for (IPv4 without append). Its destination is as it is written. */
export const slotOf = (route: RouteSpec): string => `${route.dst} ${route.table ?? RT_TABLE_MAIN} ${priorityOf(route)}`

/** linux/rtnetlink.h RTPROT_*, as in /etc/iproute2/rt_protos. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'ra',
  12: 'bird',
  16: 'dhcp',
  186: 'bgp',
  188: 'ospf',
}

/** Types whose routes have no way: linux/rtnetlink.h RTN_*. */
const WAYLESS: Readonly<Record<number, string>> = { 6: 'blackhole', 7: 'unreachable', 8: 'prohibit', 9: 'throw' }

const renderHolder = (ns: Ns, found: LinkRoute, kernel: Kernel): string => {
  const type = WAYLESS[found.type]
  const way = type === undefined ? ` dev ${getLinkAt(kernel.route(ns), found.index)?.name ?? found.index}` : ''
  const via = found.via === undefined ? '' : ` via ${found.via}`
  const metric = found.priority === 0 ? '' : ` metric ${found.priority}`
  return `${type === undefined ? '' : `${type} `}${found.dst}${via}${way} proto ${PROTOCOLS[found.protocol] ?? found.protocol}${metric}`
}

const heldBy = (ns: Ns, { write, refusal }: Contest, holder: LinkRoute, kernel: Kernel): CniError => {
  const text = renderHolder(ns, holder, kernel)
  return new CniError(
    ERR_CONFLICT,
    `the way to ${holder.dst} is held by another route: ${text}`,
    `it is neither flanneld's nor podwire's, and stays; if it is not needed: ip route del ${text}`,
    { cause: new NetlinkError(renderWrite(write), refusal.errno, refusal.extack) },
  )
}

/** Whether the kernel may have refused an onlink route for where its gateway is now reached. */
const isElsewhere = ({ route, refusal }: Contest): boolean =>
  refusal.errno === EINVAL && route.onlink === true && cidrFamily(route.dst) === 6

/** In place when the kernel can; else the others go first. */
const takeOver = (
  ns: Ns,
  contest: Contest,
  holders: readonly LinkRoute[],
  kernel: Kernel,
): NetlinkError | undefined => {
  const { write, index } = contest
  const removals = isElsewhere(contest) ? holders.map((holder) => delRoute(holder.index, holder)) : []
  const last = kernel
    .route(ns)
    .exchange([...removals, replaceRoute(index, contest.route)])
    .at(-1)
  return last === undefined || last.errno === 0
    ? undefined
    : new NetlinkError(renderWrite(write), last.errno, last.extack)
}

const settleOne = (ns: Ns, contest: Contest, holders: readonly LinkRoute[], kernel: Kernel, log: Log): void => {
  const { write } = contest
  const foreign = holders.find(isForeign)
  const error = foreign === undefined ? takeOver(ns, contest, holders, kernel) : heldBy(ns, contest, foreign, kernel)
  if (error === undefined) log.changed(() => renderWrite({ ...write, verb: 'replace' }), write.why)
  else log.failed(write.fact, error)
}

/** Decides each by what the kernel holds, read once for all of them. @throws NetlinkError when it cannot be read */
export const settleContests = (ns: Ns, contests: readonly Contest[], kernel: Kernel, log: Log): void => {
  for (const family of [4, 6] as const) {
    const own = contests.filter(({ route }) => cidrFamily(route.dst) === family)
    if (own.length === 0) continue
    const slots = routesBySlot(family, kernel.route(ns))
    for (const contest of own)
      settleOne(
        ns,
        contest,
        slots.get(slotOf({ ...contest.route, dst: networkOf(contest.route.dst) })) ?? [],
        kernel,
        log,
      )
  }
}

const routesBySlot = (family: Family, socket: NetlinkSocket): ReadonlyMap<string, readonly LinkRoute[]> => {
  const slots = new Map<string, LinkRoute[]>()
  for (const route of dumpAnyRoutes(socket, family)) {
    const slot = slots.get(slotOf(route))
    if (slot === undefined) slots.set(slotOf(route), [route])
    else slot.push(route)
  }
  return slots
}
