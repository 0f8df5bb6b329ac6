/** Whether peers can be reached over the overlay, and whether what reaches them arrives whole: probes, and what is done about
 *  hardware that spoils checksums. */

import { firstOf } from '../addr/cidr.ts'
import type { Family, Ip } from '../addr/ip.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Plan } from '../kernel/plan.ts'
import { vxlanDevice } from '../overlay/devices.ts'
import { enabledFamilies, subnetOf } from '../overlay/families.ts'
import type { Lease } from '../overlay/lease.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import { type Log, wordsOf } from './log.ts'
import { type Finding, openOffloadProbe } from './offload-probe.ts'
import type { Options } from './options.ts'
import { openProber } from './probe.ts'
import type { ProbeStatus } from './status.ts'

export interface Reach {
  /** A peer is admitted, or has changed. */
  readonly set: (lease: Lease) => void
  readonly remove: (key: string) => void
  /** By the lease's key. */
  readonly statuses: () => ReadonlyMap<string, ProbeStatus>
  readonly counts: () => { readonly probed: number; readonly reachable: number }
  /** What the node's part of the plan holds for it. */
  readonly facts: (conf: NetConf) => Plan
  /** Has devices examined over peers that answer, when it is time to. */
  readonly examine: (conf: NetConf, leases: Iterable<Lease>) => void
  readonly close: () => void
}

export interface ReachParts {
  readonly options: Options
  readonly kernel: Kernel
  readonly log: Log
  /** A device must not leave checksums to the hardware: the plan is another now. */
  readonly onBroken: () => void
}

const OFF: Reach = {
  set: () => undefined,
  remove: () => undefined,
  statuses: () => new Map(),
  counts: () => ({ probed: 0, reachable: 0 }),
  facts: () => [],
  examine: () => undefined,
  close: () => undefined,
}

/** As many as may be worth asking. */
const ASKED = 20

const vxlanDevices = ({ backend, ...conf }: NetConf): readonly (readonly [Family, string])[] =>
  backend.kind === 'vxlan'
    ? enabledFamilies({ backend, ...conf }).map((family) => [family, vxlanDevice(backend.vni, family)])
    : []

/** Probes are off with an interval of 0. @throws NetlinkError EPERM without CAP_NET_RAW */
export const openReach = ({ options, kernel, log, onBroken }: ReachParts): Reach => {
  if (options.probeInterval === 0) return OFF
  const prober = openProber(options.probeInterval * 1000)
  const onFinding = ({ device, verdict, why }: Finding): void => {
    if (verdict !== 'broken') {
      log.debug({ device, verdict, why }, 'checksum offload was examined')
      return
    }
    log.info({ device, why }, 'checksum offload is off on the device, which computes them itself')
    onBroken()
  }
  const offload = openOffloadProbe({ kernel, onFinding })
  const set = (lease: Lease): void => {
    try {
      prober.set(lease)
    } catch (error) {
      log.debug({ key: lease.key, error: wordsOf(error) }, 'a peer cannot be probed')
    }
  }
  const reachable = (leases: Iterable<Lease>, family: Family): readonly Ip[] => {
    const found: Ip[] = []
    for (const lease of leases) {
      if (found.length === ASKED) break
      const subnet = subnetOf(lease, family)
      if (subnet !== undefined && prober.status(lease.key)?.isReachable === true) found.push(firstOf(subnet))
    }
    return found
  }
  const examine = (conf: NetConf, leases: Iterable<Lease>): void => {
    const all = [...leases]
    for (const [family, device] of vxlanDevices(conf)) offload.consider(device, reachable(all, family))
  }
  return {
    ...{ set, remove: prober.remove, statuses: prober.statuses, counts: prober.counts, examine },
    facts: (conf) => offload.facts(vxlanDevices(conf).map(([, device]) => device)),
    close: () => {
      prober.close()
      offload.close()
    },
  }
}
