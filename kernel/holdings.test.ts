import { expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import { encodeMessages, type Message } from '../netlink/message.ts'
import { newNeigh } from '../netlink/neigh.ts'
import { newRoute, RTPROT_PODWIRE } from '../netlink/route.ts'
import { RTM_GETROUTE } from '../netlink/rtnetlink.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import type { EntryFact } from './entry.ts'
import { compareEntries, type Place } from './holdings.ts'

const PLACE: Place = { name: 'flannel.1', index: 7, kind: 'vxlan', own: true }
const vtep = '10.244.1.0' as Ip
const entry = { ns: 'node', dev: PLACE.name, protocol: RTPROT_PODWIRE } as const
const neigh = { ...entry, kind: 'neigh', lladdr: '0e:00:00:00:00:01' as Mac } as const
const host = { ...neigh, table: 'neigh', ip: vtep } as const
const forwarding = { ...neigh, table: 'fdb', ip: '192.0.2.1' as Ip } as const
const route = { ...entry, kind: 'route', dst: '10.244.1.0/24' as Cidr, via: vtep, onlink: true } as const
const FACTS: readonly EntryFact[] = [host, forwarding, route]

const ROUTES = [newRoute(PLACE.index, route)]
const NEIGHS = [newNeigh(PLACE.index, host), newNeigh(PLACE.index, forwarding)]

/** Each dump says each message so many times. */
const saying = (times: number): NetlinkSocket => {
  const dump: NetlinkSocket['dump'] = (_, { type }, each) => {
    const messages: readonly Message[] = type === RTM_GETROUTE ? ROUTES : NEIGHS
    for (const message of messages) {
      const bytes = encodeMessages([message], 0)
      for (let i = 0; i < times; i++) each(bytes, 16, bytes.length)
    }
  }
  return { dump } as unknown as NetlinkSocket
}

const found = (times: number) => {
  const { lacking, leftovers, blackholes } = compareEntries(FACTS, [PLACE], saying(times))
  return { lacking, blackholes, left: leftovers.flatMap(({ routes, neighs }) => [...routes, ...neighs]) }
}

/** A table that grows between two parts of its dump moves an entry into the next part; a kernel booted without IPv6 answers
 *  with the routes of IPv4 when it is asked for those of IPv6 (net/core/rtnetlink.c rtnl_dump_all). */
test('compareEntries() takes a wanted entry that a dump says twice for wanted', () =>
  expect(found(2)).toEqual({ lacking: [], blackholes: [], left: [] }))

test('compareEntries() finds what is not there', () =>
  expect(found(0)).toEqual({ lacking: FACTS, blackholes: [], left: [] }))
