/** The kernel as one call sees it: netlink sockets in the node's and the container's namespace, opened on first use. */
import { closeSync, constants, openSync } from 'node:fs'
import { quote } from '../addr/error.ts'
import { CniError, ERR_ENVIRONMENT } from '../cni/error.ts'
import { addon } from '../native/addon.ts'
import { type GenericSocket, openGeneric } from '../netlink/generic.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE, type NetlinkSocket, openSocket } from '../netlink/socket.ts'
import type { Ns } from './plan.ts'

export interface Kernel {
  /** NETLINK_ROUTE in a namespace. */
  readonly route: (ns: Ns) => NetlinkSocket
  /** NETLINK_NETFILTER in a namespace. */
  readonly netfilter: (ns: Ns) => NetlinkSocket
  /** NETLINK_GENERIC in a namespace: wireguard, ethtool. */
  readonly generic: (ns: Ns) => GenericSocket
  /** Descriptor of a namespace. @throws CniError 4 when CNI_NETNS is empty or no namespace is there */
  readonly netns: (ns: Ns) => number
  /** Runs `run` with this thread in a namespace: for files of /proc/sys/net and for programs that are run there. */
  readonly inside: <T>(ns: Ns, run: () => T) => T
  /** Indexes of links by `NS/NAME`, as far as this call has asked for them; `removeLink` forgets. For `indexOf` alone. */
  readonly indexes: Map<string, number>
  readonly close: () => void
}

/** O_NONBLOCK: what is no namespace may be a pipe, whose other end nobody opens. */
const openNetns = (path: string): number => {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new CniError(ERR_ENVIRONMENT, `CNI_NETNS ${quote(path)} cannot be opened`, String(error), { cause: error })
  }
}

/** `value()` on the first call, the same value on each later one. */
const once = <T>(value: () => T): { get: () => T; made: () => T | undefined } => {
  let made: T | undefined
  return {
    get: () => {
      made ??= value()
      return made
    },
    made: () => made,
  }
}

/** A view of the kernel for one call; `netns` is the path of the container's namespace, '' when there is none.
 *  Nothing is opened until it is asked for. */
export const openKernel = (netns: string): Kernel => {
  const node = once(() => openNetns('/proc/thread-self/ns/net'))
  const pod = once(() => openNetns(netns))
  const descriptors = { node, pod }
  const open = (protocol: number) => ({
    node: once(() => openSocket(protocol, -1)),
    pod: once(() => openSocket(protocol, pod.get())),
  })
  const route = open(NETLINK_ROUTE)
  const netfilter = open(NETLINK_NETFILTER)
  const generic = { node: once(() => openGeneric(-1)), pod: once(() => openGeneric(pod.get())) }
  const inside = <T>(ns: Ns, run: () => T): T => {
    if (ns === 'node') return run()
    const home = node.get()
    addon().setns(pod.get())
    try {
      return run()
    } finally {
      addon().setns(home)
    }
  }
  const close = (): void => {
    for (const { node, pod } of [route, netfilter, generic]) for (const socket of [node, pod]) socket.made()?.close()
    for (const fd of [node.made(), pod.made()]) if (fd !== undefined) closeSync(fd)
  }
  return {
    route: (ns) => route[ns].get(),
    netfilter: (ns) => netfilter[ns].get(),
    generic: (ns) => generic[ns].get(),
    netns: (ns) => descriptors[ns].get(),
    inside,
    indexes: new Map(),
    close,
  }
}

/** Whether the container's namespace can still be entered: false when CNI_NETNS is empty, gone, or no namespace any more.
 *  DEL goes on without it. */
export const podReachable = (kernel: Kernel): boolean => {
  try {
    kernel.route('pod')
    return true
  } catch {
    return false
  }
}

/** Runs `use` with a view of the kernel and closes it. */
export const withKernel = <T>(netns: string, use: (kernel: Kernel) => T): T => {
  const kernel = openKernel(netns)
  try {
    return use(kernel)
  } finally {
    kernel.close()
  }
}
