/** Finds out whether the underlay's hardware or driver spoils checksums inside VXLAN, and has the overlay's device compute them
 *  itself where it does. flannel-io/flannel#1279, kubernetes/kubernetes#88986, projectcalico/calico#3145, #4865. */
import { release } from 'node:os'
import type { Ip } from '../addr/ip.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type OffloadFact, offloadOperations } from '../kernel/offload.ts'
import { askClosedPort, type Hearing } from './closed-port.ts'

/** `sound`: datagrams arrive with their checksums left to the hardware. `broken`: they arrive only when the device computes
 *  them. `unknown`: they are not answered either way, or the peers do not answer at all. */
export type Verdict = 'sound' | 'broken' | 'unknown'

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
   *  for an hour after it did, and once the device is known to be broken. */
  readonly consider: (device: string, peers: readonly Ip[]) => void
  readonly close: () => void
}

export interface OffloadOptions {
  readonly kernel: Kernel
  readonly onFinding: (finding: Finding) => void
  /** As `uname -r` says. */
  readonly kernelRelease?: string
}

const AGAIN_MS = 3_600_000
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
    return { verdict: 'unknown', why: 'peers did not answer echo requests throughout' }
  return {
    verdict: 'unknown',
    why: 'peers answer echo requests over the overlay, but do not refuse UDP in either case',
  }
}

/** Examines `device`. Offload is on in the end, unless it is broken. @throws NetlinkError */
export const examine = async (
  device: string,
  peers: readonly Ip[],
  ensure: (fact: OffloadFact) => void,
): Promise<Finding> => {
  const turn = (on: boolean): void => ensure(offloadFact(device, on))
  turn(true)
  const on = await askClosedPort(peers)
  if (on !== 'silent') return { device, ...judge(on) }
  turn(false)
  const off = await askClosedPort(peers).finally(() => turn(true))
  if (off !== 'answered') return { device, ...judge(on, off) }
  const finding = { device, ...judge(on, off, await askClosedPort(peers)) }
  if (finding.verdict === 'broken') turn(false)
  return finding
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
  /** When a device was last begun to be examined. */
  const begun = new Map<string, number>()
  let isClosed = false
  const ensure = (fact: OffloadFact): void => {
    if (!isClosed) offloadOperations.ensure(fact, kernel)
  }
  const conclude = (finding: Finding): void => {
    if (isClosed) return
    if (finding.verdict === 'broken') broken.add(finding.device)
    onFinding(finding)
  }
  const consider = (device: string, peers: readonly Ip[]): void => {
    const isDue = performance.now() - (begun.get(device) ?? Number.NEGATIVE_INFINITY) > AGAIN_MS
    if (isOld || isClosed || broken.has(device) || peers.length === 0 || !isDue) return
    begun.set(device, performance.now())
    examine(device, pick(peers), ensure)
      .then(conclude)
      .catch((error: unknown) => conclude({ device, verdict: 'unknown', why: String(error) }))
  }
  return {
    facts: (devices) => devices.filter((device) => isOld || broken.has(device)).map((dev) => offloadFact(dev, false)),
    consider,
    close: () => {
      isClosed = true
    },
  }
}
