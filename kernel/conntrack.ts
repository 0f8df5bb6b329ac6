/** Flows that must be forgotten because where they lead has changed. UDP knows no end of a connection: as long as a client
 *  goes on sending, its flow keeps the translation it began with. */
import { writeSync } from 'node:fs'
import { type Family, familyOf, type Ip } from '../addr/ip.ts'
import { delFlow, dumpFlows, type Flow, type FlowFilter, IPPROTO_UDP } from '../netlink/conntrack.ts'
import { ENOENT, NetlinkError } from '../netlink/error.ts'
import { RTN_LOCAL, routeTo } from '../netlink/route-lookup.ts'
import type { Kernel } from './kernel.ts'
import type { Ns } from './plan.ts'

/** Deletes the flows of a family that `filter` and `isStale` pick. Returns how many; one that went by itself meanwhile does
 *  not count. @throws NetlinkError */
export const flushFlows = (
  kernel: Kernel,
  ns: Ns,
  family: Family,
  filter: FlowFilter,
  isStale: (flow: Flow) => boolean = () => true,
): number => {
  const socket = kernel.netfilter(ns)
  const stale = dumpFlows(socket, family, filter).filter(isStale)
  if (stale.length === 0) return 0
  const replies = socket.exchange(stale.map((flow) => delFlow(family, flow)))
  const refused = replies.find(({ errno }) => errno !== 0 && errno !== ENOENT)
  if (refused !== undefined) throw new NetlinkError('conntrack -D', refused.errno, refused.extack)
  return replies.filter(({ errno }) => errno === 0).length
}

/** A UDP port of the node and where it leads. */
export interface UdpPort {
  readonly family: Family
  readonly port: number
  /** Address of the node it is published on; absent: all. */
  readonly hostIP?: Ip
  /** Where it leads. */
  readonly pod?: { readonly address: Ip; readonly port: number }
}

const filterOf = ({ hostIP, port }: UdpPort): FlowFilter => ({
  original: { protocol: IPPROTO_UDP, dstPort: port, ...(hostIP === undefined ? {} : { dst: hostIP }) },
})

/** Answered by somebody else than was asked. */
const isTranslated = ({ original, reply }: Flow): boolean =>
  reply.src !== original.dst || reply.srcPort !== original.dstPort
const leadsTo = ({ reply }: Flow, pod: UdpPort['pod']): boolean =>
  pod !== undefined && reply.src === pod.address && reply.srcPort === pod.port

/** Whether an address is the node's own, as `fib daddr type local` has it; asked once for each address. */
const localAddresses = (kernel: Kernel, ns: Ns): ((address: Ip) => boolean) => {
  const known = new Map<Ip, boolean>()
  return (address) => {
    const isLocal = known.get(address) ?? routeTo(kernel.route(ns), address)?.type === RTN_LOCAL
    known.set(address, isLocal)
    return isLocal
  }
}

/** A kernel that cannot tell its flows has none that we could have translated wrongly, and a pod must start all the same:
 *  what was refused is said on stderr. */
const tolerantly = (flush: () => number): number => {
  try {
    return flush()
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    writeSync(2, `podwire: UDP flows to a published port may go on to where it led before: ${error.message}\n`)
    return 0
  }
}

/** After a port was published: forgets UDP flows to it that lead elsewhere than it does now. Flows that only pass through
 *  the node to the same port of another host stay. */
export const flushPublished = (kernel: Kernel, ns: Ns, port: UdpPort): number => {
  const isLocal = localAddresses(kernel, ns)
  return tolerantly(() =>
    flushFlows(
      kernel,
      ns,
      port.family,
      filterOf(port),
      (flow) => !leadsTo(flow, port.pod) && isLocal(flow.original.dst),
    ),
  )
}

/** After a port was withdrawn: forgets UDP flows that it had translated; with `pod`, only those that lead there. */
export const flushWithdrawn = (kernel: Kernel, ns: Ns, port: UdpPort): number => {
  const isLocal = localAddresses(kernel, ns)
  const isGone = (flow: Flow): boolean =>
    isTranslated(flow) && (port.pod === undefined ? isLocal(flow.original.dst) : leadsTo(flow, port.pod))
  return tolerantly(() => flushFlows(kernel, ns, port.family, filterOf(port), isGone))
}

/** After a pod went: forgets UDP flows that were translated to its address, whatever port they came to. */
export const flushPod = (kernel: Kernel, ns: Ns, address: Ip): number =>
  tolerantly(() =>
    flushFlows(kernel, ns, familyOf(address), { reply: { protocol: IPPROTO_UDP, src: address } }, isTranslated),
  )
