/** The node's link by which a pod is reached. */
import { readFileSync } from 'node:fs'
import type { Ip } from '../addr/ip.ts'
import { getLinkAt } from '../netlink/link.ts'
import { routeTo } from '../netlink/route-lookup.ts'
import type { Kernel } from './kernel.ts'

/** Index and name of every link with IPv4, one a line. Read under RCU, where RTM_GETLINK waits for the lock that every
 *  change of any link on the machine holds: 0.1 ms against up to 200 ms on a busy node (measured). */
const LINKS = '/proc/thread-self/net/igmp'

/** A name ends with a colon, which no name holds; spaces are in between only where it is short (net/ipv4/igmp.c). */
const nameIn = (text: string, index: number): string | undefined =>
  new RegExp(`^${index}\\s+([^\\s:]+)`, 'm').exec(text)?.[1]

const listedName = (index: number): string | undefined => {
  try {
    return nameIn(readFileSync(LINKS, 'latin1'), index)
  } catch {
    return undefined // a kernel without multicast
  }
}

/** Name of the link of the node by which it sends to the IPv4 address `pod`; undefined when it has no way there.
 *  @throws NetlinkError */
export const hostLinkTo = (pod: Ip, kernel: Kernel): string | undefined => {
  const route = routeTo(kernel.route('node'), pod)
  if (route === undefined) return undefined
  return listedName(route.index) ?? getLinkAt(kernel.route('node'), route.index)?.name
}
