/** Asks every peer, over the overlay, whether it is there: ICMP echo requests, which any kernel answers, flannel's nodes too. */

import { firstOf } from '../addr/cidr.ts'
import { type Family, familyOf, type Ip } from '../addr/ip.ts'
import { type EchoSocket, openEchoSocket } from '../kernel/echo.ts'
import type { Lease } from '../overlay/lease.ts'
import { makeProbeTable, type ProbeTable, type Reachability } from './probe-table.ts'
import type { ProbeStatus } from './status.ts'

export const PROBE_INTERVAL_MS = 60_000

export interface Prober {
  /** A peer is there, or has changed. */
  readonly set: (lease: Lease) => void
  readonly remove: (key: string) => void
  /** Of the last probe; undefined before it. */
  readonly status: (key: string) => ProbeStatus | undefined
  /** Of all peers that were probed, by key. */
  readonly statuses: () => ReadonlyMap<string, ProbeStatus>
  readonly counts: () => { readonly probed: number; readonly reachable: number }
  readonly close: () => void
}

/** The addresses at which a peer answers. With vxlan, ipip and wireguard its device has the first address of its subnet
 *  (flannel pkg/backend: ConfigureIPIPDevice, wgDevice.Configure, vxlanDevice.Configure); host-gw has no device. */
export const probedAddresses = ({ backendType, subnet, ipv6Subnet, publicIP, publicIPv6 }: Lease): readonly Ip[] => {
  const all =
    backendType === 'host-gw'
      ? [subnet && publicIP, ipv6Subnet && publicIPv6]
      : [subnet && firstOf(subnet), ipv6Subnet && firstOf(ipv6Subnet)]
  return all.filter((ip) => ip !== undefined)
}

/** A time of `performance.now()` as RFC 3339. */
const timestamp = (at: number): string => new Date(Date.now() - performance.now() + at).toISOString()

const statusOf = ({ isReachable, rtt, at, lastReachable }: Reachability): ProbeStatus => ({
  at: timestamp(at),
  isReachable,
  ...(rtt === undefined ? {} : { rtt: Math.round(rtt * 1000) / 1000 }),
  ...(lastReachable === undefined ? {} : { lastReachable: timestamp(lastReachable) }),
})

/** A socket for each family that is asked for. */
const openSockets = () => {
  const sockets = new Map<Family, EchoSocket>()
  const of = (family: Family): EchoSocket => {
    const socket = sockets.get(family) ?? openEchoSocket(family)
    sockets.set(family, socket)
    return socket
  }
  return { of, all: () => [...sockets.values()] }
}

const drain = (sockets: readonly EchoSocket[], table: ProbeTable): void => {
  for (const socket of sockets)
    for (const echo of socket.receive()) if (echo.kind === 'reply') table.answered(echo.from, echo.seq, echo.at)
}

/** Probes peers until closed, in the namespace of this thread; does not keep the process alive. What the kernel refuses to
 *  send counts as not answered. @throws NetlinkError (from `set`) EPERM without CAP_NET_RAW */
export const openProber = (intervalMs = PROBE_INTERVAL_MS): Prober => {
  const table = makeProbeTable(intervalMs)
  const sockets = openSockets()
  let timer: NodeJS.Timeout | undefined
  const tick = (): void => {
    drain(sockets.all(), table)
    for (const { ip, seq } of table.due(performance.now())) sockets.of(familyOf(ip)).send(ip, seq)
    plan()
  }
  const plan = (): void => {
    clearTimeout(timer)
    const next = table.next()
    timer = next === undefined ? undefined : setTimeout(tick, Math.max(0, next - performance.now())).unref()
  }
  const set = (lease: Lease): void => {
    const ips = probedAddresses(lease)
    for (const ip of ips) sockets.of(familyOf(ip))
    table.set(lease.key, ips, performance.now())
    plan()
  }
  const close = (): void => {
    clearTimeout(timer)
    for (const socket of sockets.all()) socket.close()
  }
  const status = (key: string): ProbeStatus | undefined => {
    const result = table.result(key)
    return result === undefined ? undefined : statusOf(result)
  }
  const statuses = (): ReadonlyMap<string, ProbeStatus> =>
    new Map(
      table.keys().flatMap((key): [string, ProbeStatus][] => {
        const found = status(key)
        return found === undefined ? [] : [[key, found]]
      }),
    )
  return { set, remove: table.remove, status, statuses, counts: table.counts, close }
}
