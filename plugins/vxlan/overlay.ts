/** This node's part of the overlay: brought up by the first ADD, looked after by each, taken back when the first one fails. */
import { closeSync, writeSync } from 'node:fs'
import { CniError, ERR_DRIFT } from '../../cni/error.ts'
import { failureOf } from '../../cni/failure.ts'
import { openLock, takeLock } from '../../cni/run-lock.ts'
import { remove, requireNoDrift } from '../../kernel/apply.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { operationsOf } from '../../kernel/operations.ts'
import { type Outcome, resync, type Scope } from '../../kernel/reconcile.ts'
import { LOCK_EX } from '../../native/addon.ts'
import { dumpLinks, getLink } from '../../netlink/link.ts'
import { isOverlayDevice } from '../../overlay/devices.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { type SubnetEnv, subnetEnvOf } from '../../overlay/subnet-env.ts'
import { vxlan } from '../../overlay/vxlan.ts'
import type { VxlanConf } from './conf.ts'
import { type OverlayPlan, planOverlay, wholePlan } from './plan.ts'
import { type Answer, askStore } from './store.ts'

const LOCK = 'overlay'

/** Runs `use` while no other call of this node changes the overlay. @throws CniError 11 */
export const withOverlayLock = <T>(use: () => T): T => {
  const descriptor = openLock(LOCK)
  try {
    takeLock(LOCK, descriptor, LOCK_EX, 'another ADD or GC of an overlay')
    return use()
  } finally {
    closeSync(descriptor)
  }
}

/** What an attachment is made of. The node masquerades, so its delegate does not. */
export const envOf = (node: OverlayNode): SubnetEnv => subnetEnvOf(node.conf, node.own, vxlan.mtu(node), true)

const warn = (text: string): void => {
  writeSync(2, `podwire vxlan: ${text}\n`)
}

const wordsOf = ({ fact, error }: Outcome['failures'][number]): string =>
  `${operationsOf(fact).render(fact)}: ${failureOf(error).message}`

/** What concerns one peer does not keep the others from being reached: it is said on stderr. @throws CniError of what
 *  concerns the node itself */
const requireOwn = ({ peers, rejected }: OverlayPlan, { failures }: Outcome): void => {
  for (const [key, why] of rejected) warn(`lease ${key} is not used: ${why}`)
  const own = failures.filter(({ fact }) => !peers.includes(fact))
  for (const failure of failures) if (!own.includes(failure)) warn(wordsOf(failure))
  const [first] = own
  if (first === undefined) return
  const { code, message, details } = failureOf(first.error)
  throw new CniError(
    code,
    `the overlay cannot be brought up: ${message}`,
    [details, ...own.map(wordsOf)].join('\n').trim(),
  )
}

export interface Up {
  readonly node: OverlayNode
  /** No device was there: whatever is there now, this call made. */
  readonly isFirst: boolean
  /** Takes back what this call made. */
  readonly undo: () => void
}

const isDown = ({ devices }: Scope, kernel: Kernel): boolean =>
  devices.every((name) => getLink(kernel.route('node'), name) === undefined)

/** What goes wrong here is not the news. */
const takeBack = (plan: OverlayPlan, { isNew, release }: Answer, kernel: Kernel): void => {
  const steps = [
    () => void resync([], plan.scope, kernel),
    () => remove(plan.masquerade, kernel),
    ...(isNew ? [release] : []),
  ]
  for (const step of steps)
    try {
      step()
    } catch {
      // the error that led here is the one to report
    }
}

/** Brings the kernel to what the store says, with a lease of its own for this node. Hold the lock. @throws CniError,
 *  DecodeError, StoreError, NetlinkError; what this call made is taken back then */
export const bringUp = (conf: VxlanConf, kernel: Kernel): Up => {
  const answer = askStore(conf, 'take', kernel)
  const { node, fleet, isNew, release } = answer
  const plan = planOverlay(node, fleet, conf.masquerade)
  const isFirst = isDown(plan.scope, kernel)
  const undo = (): void => takeBack(plan, answer, kernel)
  try {
    requireOwn(plan, resync(wholePlan(plan), plan.scope, kernel))
    return { node, isFirst, undo }
  } catch (error) {
    if (isFirst) undo()
    else if (isNew) release()
    throw error
  }
}

/** What could be brought up now. @throws as `bringUp`, but changes nothing */
export const lookAt = (conf: VxlanConf, kernel: Kernel): { readonly node: OverlayNode; readonly plan: OverlayPlan } => {
  const { node, fleet } = askStore(conf, 'look', kernel)
  return { node, plan: planOverlay(node, fleet, conf.masquerade) }
}

/** Says on stderr what the kernel does not have of peers, when there is a device: it keeps no ADD from working. */
export const reportPeers = ({ peers, scope }: OverlayPlan, kernel: Kernel): void => {
  if (isDown(scope, kernel)) return
  const missing = peers.filter((fact) => operationsOf(fact).drift(fact, kernel) !== undefined)
  if (missing.length > 0)
    warn(`${missing.length} entries of peers are not in the kernel: the next ADD or podwire agent --once makes them`)
}

/** @throws CniError 100 when the kernel does not hold what the store says, or the store has no lease of this node */
export const requireUp = (conf: VxlanConf, ifName: string, kernel: Kernel): OverlayNode => {
  const { node, fleet, isNew } = askStore(conf, 'look', kernel)
  if (isNew)
    throw new CniError(
      ERR_DRIFT,
      'the store has no lease of this node',
      'the next ADD takes one; its subnet may differ',
    )
  requireNoDrift(wholePlan(planOverlay(node, fleet, conf.masquerade)), ifName, kernel)
  return node
}

/** Whether there is a device of an overlay at all, of which the store might know something. */
const hasDevice = (kernel: Kernel): boolean =>
  dumpLinks(kernel.route('node')).some(({ name, kind }) => kind === 'vxlan' && isOverlayDevice(name))

/** Mends what is up; what is not stays so. @throws as `bringUp` */
export const mend = (conf: VxlanConf, kernel: Kernel): void => {
  if (!hasDevice(kernel)) return
  const { node, fleet, isNew } = askStore(conf, 'look', kernel)
  const plan = planOverlay(node, fleet, conf.masquerade)
  if (isNew || isDown(plan.scope, kernel)) return
  requireOwn(plan, resync(wholePlan(plan), plan.scope, kernel))
}
