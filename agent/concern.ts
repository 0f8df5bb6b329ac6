/** Which of the kernel's events ask for a look at the whole: those after which it may not be as planned. What podwire does
 *  itself comes back as an event where the kernel does not say who did it, and must not. */
import { identityOf } from '../kernel/identity.ts'
import type { KernelEvent } from '../kernel/monitor.ts'
import type { NeighNotice } from '../netlink/notification.ts'
import { RTPROT_PODWIRE } from '../netlink/route.ts'
import type { Desired } from './desired.ts'

/** The overlay's links and the underlay as they are now. */
export interface Links {
  /** Names of the overlay's links by index. */
  readonly devices: ReadonlyMap<number, string>
  readonly underlay: number | undefined
}

/** The table of masquerading and forwarding (overlay/masquerade.ts). */
const NFT_TABLE = 'podwire-overlay'

/** An entry of the plan that is gone or leads elsewhere. Entries that others add stay theirs. */
const isOther = ({ kind, change, index, ip, lladdr }: NeighNotice, desired: Desired, { devices }: Links): boolean => {
  const dev = devices.get(index)
  if (dev === undefined || ip === undefined) return false
  const entry = { kind: 'neigh', ns: 'node', dev, table: kind, ip, lladdr: lladdr ?? NO_MAC } as const
  const planned = desired.fact(identityOf(entry))
  if (planned?.kind !== 'neigh') return false
  if (change === 'gone') return kind === 'neigh' || planned.ip === ip
  return planned.ip !== ip || planned.lladdr !== lladdr
}

const NO_MAC = '00:00:00:00:00:00' as NeighNotice['lladdr'] & string

const routeIdentity = (dst: string): string =>
  identityOf({ kind: 'route', ns: 'node', dev: '', dst } as Parameters<typeof identityOf>[0])

export const isConcern = (event: KernelEvent, desired: Desired, links: Links): boolean => {
  switch (event.kind) {
    case 'lost':
      return true
    case 'link':
      return (
        event.index === links.underlay ||
        event.name === desired.node.underlay.name ||
        links.devices.has(event.index) ||
        desired.scope.devices.includes(event.name)
      )
    case 'addr':
      return event.index === links.underlay || links.devices.has(event.index)
    case 'route':
      return (
        event.protocol === RTPROT_PODWIRE ||
        links.devices.has(event.index) ||
        desired.fact(routeIdentity(event.dst)) !== undefined
      )
    case 'nft':
      return event.table === NFT_TABLE
    default:
      return isOther(event, desired, links)
  }
}
