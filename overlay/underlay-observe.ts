/** What of the node `chooseUnderlay` chooses from: one dump each of links and addresses, and the routes only where they
 *  count. */
import { lengthOf } from '../addr/cidr.ts'
import type { Family } from '../addr/ip.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { dumpAllAddresses } from '../netlink/address.ts'
import { dumpLinks } from '../netlink/link.ts'
import { dumpRoutes, RT_TABLE_MAIN } from '../netlink/route.ts'
import { routeTo } from '../netlink/route-lookup.ts'
import type { UnderlayOptions, UnderlaySeen } from './underlay.ts'

/** The link of the default route with the least metric; undefined when there is none. */
const defaultLink = (family: Family, kernel: Kernel): number | undefined =>
  dumpRoutes(kernel.route('node'), family)
    .filter(({ dst, table }) => lengthOf(dst) === 0 && table === RT_TABLE_MAIN)
    .toSorted((a, b) => a.priority - b.priority)[0]?.index

const defaultsOf = ({ conf }: UnderlayOptions, kernel: Kernel): UnderlaySeen['defaults'] => {
  const ipv4 = conf.ipv4 === undefined ? undefined : defaultLink(4, kernel)
  const ipv6 = conf.ipv6 === undefined ? undefined : defaultLink(6, kernel)
  return { ...(ipv4 === undefined ? {} : { 4: ipv4 }), ...(ipv6 === undefined ? {} : { 6: ipv6 }) }
}

const needsDefaults = ({ ifaces, ifaceRegexes, ifaceCanReach, publicIP, publicIPv6 }: UnderlayOptions): boolean =>
  ifaces.length === 0 && ifaceRegexes.length === 0 && [ifaceCanReach, publicIP, publicIPv6].every((ip) => !ip)

/** The node as the kernel shows it. @throws NetlinkError */
export const observeUnderlay = (options: UnderlayOptions, kernel: Kernel): UnderlaySeen => {
  const socket = kernel.route('node')
  const { ifaceCanReach } = options
  const reach = ifaceCanReach === undefined ? undefined : routeTo(socket, ifaceCanReach)
  return {
    links: dumpLinks(socket)
      .map(({ index, name, mtu }) => ({ index, name, mtu }))
      .sort((a, b) => a.index - b.index),
    addresses: dumpAllAddresses(socket),
    defaults: needsDefaults(options) ? defaultsOf(options, kernel) : {},
    ...(reach === undefined
      ? {}
      : { reach: { index: reach.index, ...(reach.src === undefined ? {} : { src: reach.src }) } }),
  }
}
