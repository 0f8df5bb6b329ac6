/** What the store says of this node and the others. */
import type { Kernel } from '../../kernel/kernel.ts'
import { choose } from '../../overlay/allocation.ts'
import type { Lease } from '../../overlay/lease.ts'
import type { LeaseAnswer } from '../../overlay/lease-exchange.ts'
import type { OverlayNode, Site } from '../../overlay/planner.ts'
import type { StoreConf, VxlanConf } from './conf.ts'
import { netConfIn, releaseIn, settleNetConf, takeIn, wouldTakeIn } from './folder.ts'
import type { Fleet } from './plan.ts'
import { askRemote } from './remote.ts'
import { claimOf, observeSite, previousSubnets } from './site.ts'

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
  const { own, isNew, fleet } = (question === 'take' ? takeIn : wouldTakeIn)(dir, claim, conf)
  return { node: { ...site, own }, fleet, isNew, release: () => releaseIn(dir, claim, own) }
}

/** The lease of `answer`, or the one that the store would give now. @throws StoreError when it would give none */
const ownIn = ({ own, leases, invalid }: LeaseAnswer, site: Site, kernel: Kernel): Lease => {
  if (own !== undefined) return own
  const claim = claimOf(site, kernel)
  const held = leases.map((lease) => ({ lease, reserved: true }))
  return choose(claim, site.conf, { leases: held, invalid: Object.keys(invalid) }, () => 0).lease
}

/** A lease that was taken in vain stays: the node finds it again by its address. */
const askOther = (
  store: Exclude<StoreConf, { type: 'file' }>,
  conf: VxlanConf,
  question: Question,
  kernel: Kernel,
): Answer => {
  const previous = conf.netConf === undefined ? [] : previousSubnets(conf.netConf.conf, kernel)
  const { answer, netConf } = askRemote(store, conf, question, previous)
  const { publicAddresses, leases, invalid, isNew } = answer
  const site = observeSite(netConf, { ...conf.ways, ...publicAddresses }, kernel)
  return {
    node: { ...site, own: ownIn(answer, site, kernel) },
    fleet: { leases, invalid: new Map(Object.entries(invalid)), anyLength: store.type === 'kubernetes' },
    isNew: isNew || answer.own === undefined,
    release: () => undefined,
  }
}

/** @throws DecodeError, StoreError, NetlinkError; CniError of a store that is asked over the network */
export const askStore = (conf: VxlanConf, question: Question, kernel: Kernel): Answer => {
  const { store } = conf
  return store.type === 'file' ? askFolder(store.dir, conf, question, kernel) : askOther(store, conf, question, kernel)
}
