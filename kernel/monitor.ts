/** What changes in the kernel's tables by others than this process, as it happens. */
import { addon } from '../native/addon.ts'
import { decodeNotices, type Notice, type Unheard } from '../netlink/notification.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../netlink/socket.ts'
import {
  FULL,
  NFNLGRP_NFTABLES,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  type Subscription,
  subscribe,
} from '../netlink/subscription.ts'
import type { Kernel } from './kernel.ts'

/** `lost`: messages were dropped, since too many came at once: anything may have changed. */
export type KernelEvent = Notice | { readonly kind: 'lost' }

export interface Monitor {
  readonly close: () => void
}

export interface MonitorOptions {
  /** Links whose neighbours and forwarding entries are reported; all when absent. Asked for each of these messages: a node's
   *  pods are behind thousands of them. */
  readonly concerns?: (index: number) => boolean
}

/** When all messages were taken, no more are for this long: many that come one by one cost at most 50 calls a second. */
const QUIET_MS = 20

const GROUPS = {
  route: [
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
  ],
  nftables: [NFNLGRP_NFTABLES],
} as const

type Source = keyof typeof GROUPS

interface Taken {
  readonly events: readonly KernelEvent[]
  /** There may be more. */
  readonly more: boolean
}

/** Once it has dropped a message the kernel drops all until the queue is empty, without saying so again
 *  (NETLINK_S_CONGESTED): only then can a dump be relied on, and only then is it said that messages were lost. */
const taker = ({ receive }: Subscription, source: Source, unheard: Unheard): (() => Taken) => {
  let lost = false
  return () => {
    const received = receive()
    const more = received === 'lost' || received.length >= FULL
    if (received === 'lost') lost = true
    else if (!lost) return { events: decodeNotices(source, received, unheard), more }
    lost = more
    return { events: more ? [] : [{ kind: 'lost' }], more }
  }
}

/** Reports what `subscription` hears until it is closed. */
const listen = (
  subscription: Subscription,
  source: Source,
  unheard: Unheard,
  listener: (event: KernelEvent) => void,
): Monitor => {
  let timer: NodeJS.Timeout | undefined
  let open = true
  const take = taker(subscription, source, unheard)
  const watch = addon().watch(subscription.fd, () => {
    const { events, more } = take()
    timer = setTimeout(() => addon().rearm(watch), more ? 0 : QUIET_MS).unref()
    for (const event of events) if (open) listener(event)
  })
  const close = (): void => {
    open = false
    clearTimeout(timer)
    addon().unwatch(watch)
    subscription.close()
  }
  return { close }
}

/** Reports changes of links, addresses, routes, neighbours, forwarding entries and nft tables in the node's namespace, until
 *  closed; does not keep the process alive. What `kernel`'s own sockets did to addresses, routes, neighbours and nft tables is
 *  not reported. Of links and forwarding entries the kernel does not say who changed them (seen on Linux 6.18), and what goes
 *  with a link is nobody's doing; IPv4 routes that go with their link it does not tell of at all. @throws NetlinkError */
export const watchKernel = (
  kernel: Kernel,
  listener: (event: KernelEvent) => void,
  { concerns = () => true }: MonitorOptions = {},
): Monitor => {
  const ports = new Set([kernel.route('node').port(), kernel.netfilter('node').port()])
  const unheard = { ports, concerns }
  const route = listen(subscribe(NETLINK_ROUTE, GROUPS.route), 'route', unheard, listener)
  const nftables = listen(subscribe(NETLINK_NETFILTER, GROUPS.nftables), 'nftables', unheard, listener)
  const close = (): void => {
    route.close()
    nftables.close()
  }
  return { close }
}
