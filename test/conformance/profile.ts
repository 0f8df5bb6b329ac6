/** What the harness knows of each plugin: a configuration that every implementation takes, what an attachment needs
 *  beforehand, and the ways in which it can be damaged. One row per plugin, each in a file of its own kind. */
import type { Bed, Pod } from './bed.ts'
import { CHAINED } from './profile-chained.ts'
import { IPAM } from './profile-ipam.ts'
import { MAIN } from './profile-main.ts'
import { OVERLAY } from './profile-overlay.ts'
import type { State } from './state.ts'
import type { Facts, Json, Version } from './version.ts'

/** An attachment and what ADD changed. */
export interface Place {
  readonly bed: Bed
  readonly pod: Pod
  readonly ifName: string
  readonly containerID: string
  readonly version: Version
  readonly facts: Facts
  /** The host's end of the pod's veth pair. */
  readonly hostEnd: string
  readonly before: State
  readonly after: State
  /** Handles of the nftables rules before ADD, `family table chain handle`. */
  readonly rulesBefore: ReadonlySet<string>
}

/** A damage that CHECK must notice. Returns what to send differently, if it is not the kernel that is damaged. */
export interface Drift {
  readonly what: string
  readonly damage: (place: Place) => Promise<Json | undefined>
}

export interface Profile {
  readonly plugin: string
  readonly kind: 'main' | 'chained' | 'ipam'
  /** It has another plugin make the attachment, with a configuration of its own making. */
  readonly delegates?: true
  /** The oldest version it takes. */
  readonly since: Version
  /** Its keys, for the attachment numbered `index`. */
  readonly conf: (bed: Bed, index: number) => Json
  /** Keys with a value that is refused. */
  readonly wrong: Json
  readonly drifts: readonly Drift[]
  /** Keys by which one of its pools has one address, when it is not `ipam` that says so. */
  readonly smallPool?: (bed: Bed) => Json
  /** Leaves its attachments the addresses of 10.77.0.0/27 alone, when it is not `ipam` that says so. */
  readonly cramp?: (bed: Bed) => void
  /** Keys of a second network beside the first. */
  readonly otherNetwork?: (bed: Bed) => Json
  /** Once per node. */
  readonly prepareNode?: (bed: Bed) => Promise<void>
  /** For each attachment; returns the prevResult of its ADD. */
  readonly prepare?: (bed: Bed, version: Version, pod: Pod, ifName: string, index: number) => Promise<Json>
}

export const PROFILES: readonly Profile[] = [...MAIN, ...OVERLAY, ...CHAINED, ...IPAM]
