/** `--ip-blackhole-route`: what is sent to an address of the own subnet that no pod has is dropped here, and not sent up the
 *  default route and back. flannel pkg/ip `AddBlackholeV4Route`. */
import type { BlackholeFact } from '../kernel/blackhole.ts'
import { RTPROT_PODWIRE } from '../netlink/route.ts'
import type { Lease } from './lease.ts'

export const blackholeFacts = ({ subnet, ipv6Subnet }: Lease): BlackholeFact[] =>
  [subnet, ipv6Subnet]
    .filter((dst) => dst !== undefined)
    .map((dst) => ({ kind: 'blackhole', ns: 'node', dst, protocol: RTPROT_PODWIRE }))
