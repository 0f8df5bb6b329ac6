/** Finds out whether the underlay's hardware or driver spoils checksums inside VXLAN, and has the overlay's device compute them
 *  itself where it does. flannel-io/flannel#1279, kubernetes/kubernetes#88986, projectcalico/calico#3145, #4865. */
import { release } from 'node:os'
import type { Ip } from '../addr/ip.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { isOffloaded, type OffloadFact, offloadOperations } from '../kernel/offload.ts'
import { askClosedPort, type Hearing } from './closed-port.ts'

/** `sound`: datagrams arrive with their checksums left to the hardware. `broken`: they arrive only when the device computes
 *  them, or that was found out earlier. `unknown`: they are not answered either way. `unreached`: peers did not answer at all. */
export type Verdict = 'sound' | 'broken' | 'unknown' | 'unreached'

export interface Finding {
  readonly device: string
  readonly verdict: Verdict
  /** In words. */
  readonly why: string
}

export interface OffloadProbe {
  /** What the plan must hold for devices of VXLAN. */
  readonly facts: (devices: readonly string[]) => readonly OffloadFact[]
  /** Examines a device of VXLAN with peers that answer echo requests over it. Returns at once; does nothing while it examines,
   *  for an hour after it did (five minutes when peers did not answer), and once the device is known to be broken. */
  readonly consider: (device: string, peers: readonly Ip[]) => void
  /** What is off on trial is on again. */
  readonly close: () => void
}

export interface OffloadOptions {
  readonly kernel: Kernel
  readonly onFinding: (finding: Finding) => void
  /** As `uname -r` says. */
  readonly kernelRelease?: string
}

/** How long a device is not examined again. */
const QUIET_MS: { readonly [V in Verdict]: number } = {
  sound: 3_600_000,
  unknown: 3_600_000,
  unreached: 300_000,
  broken: Number.POSITIVE_INFINITY,
}
/** Peers asked at a time: several, since one may have a firewall. */
const PEERS = 3

/** Linux before 5.7 puts a wrong checksum into UDP packets without one when netfilter rewrites their port, as it does to
 *  VXLAN's own (torvalds/linux ea64d8d6c675, "netfilter: nat: never update the UDP checksum when it's 0"; k3s-io/k3s#2013). */
export const hasChecksumBug = (kernelRelease: string): boolean => {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? []
  return Number(major) < 5 || (Number(major) === 5 && Number(minor) < 7)
}

export const offloadFact = (dev: string, on: boolean): OffloadFact => ({
  kind: 'offload',
  ns: 'node',
  dev,
  feature: 'tx-checksum-ip-generic',
  on,
})

/** What is heard with offload on, then off, then on again. Anything but silence, answer, silence may have other causes than
 *  checksums: a firewall, limits on ICMP, a peer that went away. */
export const judge = (on: Hearing, off?: Hearing, onAgain?: Hearing): Omit<Finding, 'device'> => {
  if (on === 'answered' || onAgain === 'answered') return { verdict: 'sound', why: 'UDP over the overlay arrives' }
  if (on === 'silent' && off === 'answered' && onAgain === 'silent')
    return {
      verdict: 'broken',
      why: 'UDP over the overlay arrives only when its checksums are not left to the hardware of the underlay',
    }
  if ([on, off, onAgain].includes('unclear'))
    return { verdict: 'unreached', why: 'peers did not answer echo requests throughout' }
  return {
    verdict: 'unknown',
    why: 'peers answer echo requests over the overlay, but do not refuse UDP in either case',
  }
}

/** Examines `device`. Offload is on in the end, unless it is broken. Where it is off already, an earlier agent found it broken
 *  or an operator did: turning it on to see would lose packets. @throws NetlinkError */
const examine = async (device: string, peers: readonly Ip[], offload: Switch): Promise<Finding> => {
  if (!offload.isOn(device)) return { device, verdict: 'broken', why: 'it was off already' }
  const on = await askClosedPort(peers)
  if (on !== 'silent') return { device, ...judge(on) }
  offload.turn(device, false)
  const off = await askClosedPort(peers).finally(() => offload.turn(device, true))
  if (off !== 'answered') return { device, ...judge(on, off) }
  const finding = { device, ...judge(on, off, await askClosedPort(peers)) }
  if (finding.verdict === 'broken') offload.turn(device, false)
  return finding
}

interface Switch {
  readonly isOn: (device: string) => boolean
  readonly turn: (device: string, on: boolean) => void
  /** Turns on what is off on trial, and nothing any more. */
  readonly close: (broken: ReadonlySet<string>) => void
}

const openSwitch = (kernel: Kernel): Switch => {
  const off = new Set<string>()
  let isClosed = false
  const turn = (device: string, on: boolean): void => {
    if (isClosed) return
    offloadOperations.ensure(offloadFact(device, on), kernel)
    if (on) off.delete(device)
    else off.add(device)
  }
  const restore = (device: string): void => {
    try {
      turn(device, true)
    } catch {
      // the device is gone, and a new one has it on
    }
  }
  const close = (broken: ReadonlySet<string>): void => {
    for (const device of off) if (!broken.has(device)) restore(device)
    isClosed = true
  }
  return { isOn: (device) => isOffloaded(offloadFact(device, true), kernel), turn, close }
}

const pick = (peers: readonly Ip[]): readonly Ip[] =>
  peers.length <= PEERS
    ? peers
    : Array.from({ length: PEERS }, () => peers[Math.floor(Math.random() * peers.length)]).filter(
        (ip) => ip !== undefined,
      )

/** Watches over the devices of VXLAN of this namespace. */
export const openOffloadProbe = ({ kernel, onFinding, kernelRelease = release() }: OffloadOptions): OffloadProbe => {
  const isOld = hasChecksumBug(kernelRelease)
  const broken = new Set<string>()
  /** When a device may be examined. */
  const due = new Map<string, number>()
  const offload = openSwitch(kernel)
  let isClosed = false
  const conclude = (finding: Finding): void => {
    if (isClosed) return
    due.set(finding.device, performance.now() + QUIET_MS[finding.verdict])
    if (finding.verdict === 'broken') broken.add(finding.device)
    onFinding(finding)
  }
  const consider = (device: string, peers: readonly Ip[]): void => {
    if (isOld || isClosed || peers.length === 0 || performance.now() < (due.get(device) ?? 0)) return
    due.set(device, Number.POSITIVE_INFINITY)
    examine(device, pick(peers), offload)
      .then(conclude)
      .catch((error: unknown) => conclude({ device, verdict: 'unreached', why: String(error) }))
  }
  return {
    facts: (devices) => devices.filter((device) => isOld || broken.has(device)).map((dev) => offloadFact(dev, false)),
    consider,
    close: () => {
      isClosed = true
      offload.close(broken)
    },
  }
}
