/** What an agent knows at present. Its tasks write it, status and health read it; nothing else is shared between them. */
import type { Claim, OwnLease } from '../overlay/claim.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import type { Site } from '../overlay/planner.ts'
import type { Trouble } from './retry.ts'

export interface Knowledge {
  readonly started: number
  /** In force, with the text it was read from. */
  netConf?: { readonly text: string; readonly conf: NetConf }
  /** It was read from the store, and not remembered. */
  hasRead: boolean
  /** Why a newer text is not in force. */
  netConfRefused?: string
  /** Given by the store; they precede the options. */
  publicAddresses: Pick<Claim, 'publicIP' | 'publicIPv6'>
  site?: Site
  /** Why the underlay cannot be found, or why one before it stays in force. */
  siteTrouble?: string
  /** With the configuration it was acquired for. */
  own?: { readonly own: OwnLease; readonly conf: NetConf }
  isWatching: boolean
  /** The store is away since the start, and what an earlier agent knew is worked with. */
  isRemembering: boolean
  /** Ms since the epoch. */
  lastEvent?: number
  /** By what is tried. */
  readonly troubles: Map<string, Trouble>
  /** A pass with all leases has been made. */
  isSettled: boolean
  /** Why subnet.env is not as it should be; undefined once it is. */
  subnetFileTrouble?: string
  /** Ms since the epoch: the loop was alive then. */
  lastTurn: number
}

export const openKnowledge = (): Knowledge => ({
  started: Date.now(),
  hasRead: false,
  publicAddresses: {},
  isWatching: false,
  isRemembering: false,
  troubles: new Map(),
  isSettled: false,
  subnetFileTrouble: 'it has not been written yet',
  lastTurn: Date.now(),
})
