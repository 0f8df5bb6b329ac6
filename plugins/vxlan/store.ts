/** What the store says of this node and the others. */
import { quote } from '../../addr/error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import type { VxlanConf } from './conf.ts'
import { fleetIn, netConfIn, releaseIn, settleNetConf, takeIn, wouldTakeIn } from './folder.ts'
import type { Fleet } from './plan.ts'
import { claimOf, observeSite } from './site.ts'

export interface Answer {
  readonly node: OverlayNode
  readonly fleet: Fleet
  /** The lease was taken by this call, or is not taken yet. */
  readonly isNew: boolean
  /** Gives a lease back that this call took. */
  readonly release: () => void
}

/** `take`: this node's lease, taken where it has none. `look`: the same, but nothing is written; the lease may be one that
 *  the node does not have yet. */
export type Question = 'take' | 'look'

const askFolder = (dir: string, { netConf: given, ways }: VxlanConf, question: Question, kernel: Kernel): Answer => {
  const conf = netConfIn(dir, given)
  const site = observeSite(conf, ways, kernel)
  const claim = claimOf(site, kernel)
  if (question === 'take') settleNetConf(dir, given)
  const { own, isNew } = (question === 'take' ? takeIn : wouldTakeIn)(dir, claim, conf)
  return { node: { ...site, own }, fleet: fleetIn(dir), isNew, release: () => releaseIn(dir, claim, own) }
}

/** @throws DecodeError, StoreError, NetlinkError */
export const askStore = (conf: VxlanConf, question: Question, kernel: Kernel): Answer => {
  if (conf.store.type === 'file') return askFolder(conf.store.dir, conf, question, kernel)
  throw new Error(`the store ${quote(conf.store.type)}`)
}
