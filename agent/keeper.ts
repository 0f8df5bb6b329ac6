/** Keeps the kernel as planned: peers come and go by what changes for them alone; everything else by a pass over the whole. */
import type { Cidr } from '../addr/cidr.ts'
import { identityOf } from '../kernel/identity.ts'
import type { Plan } from '../kernel/plan.ts'
import type { Outcome, Scope } from '../kernel/reconcile.ts'
import { type Admission, type AdmissionChange, makeAdmission } from '../overlay/admission.ts'
import { networksOf } from '../overlay/families.ts'
import type { Lease } from '../overlay/lease.ts'
import { parseNetConf } from '../overlay/net-conf.ts'
import type { OverlayNode } from '../overlay/planner.ts'
import { plannerOf } from '../overlay/planners.ts'
import { basePlan } from './base-plan.ts'
import { type Desired, openDesired } from './desired.ts'
import type { Leases } from './leases.ts'
import type { Log } from './log.ts'
import type { Memory } from './memory.ts'
import type { Options } from './options.ts'
import type { Reach } from './reach.ts'
import type { Reconciler } from './reconciler.ts'
import { openRefusals } from './refusals.ts'
import type { LeaseEvent } from './store/store.ts'

export interface Keeper {
  /** A pass over the whole kernel. */
  readonly full: (node: OverlayNode) => Outcome
  /** Takes in what has changed in the store; `flush` brings it to the kernel. Returns whether that makes a difference. */
  readonly note: (event: LeaseEvent) => boolean
  readonly flush: () => void
  /** Undefined before the first pass. */
  readonly desired: () => Desired | undefined
  readonly admission: () => Admission | undefined
}

export interface KeeperParts {
  readonly options: Options
  readonly log: Log
  readonly reconciler: Reconciler
  readonly leases: Leases
  readonly reach: Pick<Reach, 'set' | 'remove' | 'facts'>
  /** What an earlier agent had: links of its overlay, peers it believed. */
  readonly earlier: Pick<Memory, 'devices' | 'peers' | 'netConf'> | undefined
}

/** Nothing is ours: what is there and not planned stays. */
const NOTHING: Scope = { devices: [], carriers: [], networks: [] }

const NAMED = 3

const union = <T>(...lists: readonly (readonly T[])[]): readonly T[] => [...new Set(lists.flat())]

const merge = (a: Scope, b: Scope): Scope => ({
  devices: union(a.devices, b.devices),
  carriers: union(a.carriers, b.carriers),
  networks: union(a.networks, b.networks),
})

/** Of an earlier configuration; none of one that is not understood any more. */
const networksIn = (text: string | undefined): readonly Cidr[] => {
  try {
    return text === undefined ? [] : networksOf(parseNetConf(text))
  } catch {
    return []
  }
}

const change = (admission: Admission, event: LeaseEvent): AdmissionChange => {
  switch (event.kind) {
    case 'set':
      return admission.set(event.lease)
    case 'invalid':
      return admission.invalid(event.key, event.why)
    case 'gone':
      return admission.remove(event.key)
    default:
      return admission.all(event.leases, event.invalid)
  }
}

export const openKeeper = ({ options, log, reconciler, leases, reach, earlier }: KeeperParts): Keeper => {
  let current: { readonly desired: Desired; readonly admission: Admission; readonly text: string } | undefined
  const dirty = new Map<string, Lease | undefined>()
  /** What an earlier plan had that this one does not: looked at until a pass went well. */
  let left: Scope = { ...NOTHING, devices: earlier?.devices ?? [], networks: networksIn(earlier?.netConf) }

  const refusals = openRefusals(log)

  /** Returns the plan before. */
  const rebuild = (node: OverlayNode, text: string): { readonly desired: Desired; readonly before: Plan } => {
    const planner = plannerOf(node.conf.backend)
    const before = current
    const believed = before?.admission.admitted.keys() ?? earlier?.peers.map(({ key }) => key) ?? []
    const admission = makeAdmission({ node, anyLength: options.store === 'kubernetes' }, believed)
    const desired = openDesired(node, planner.scope(node), [...basePlan(node, options), ...reach.facts(node.conf)])
    admission.all(leases.all(), leases.invalid)
    for (const key of before?.admission.admitted.keys() ?? []) if (!admission.admitted.has(key)) reach.remove(key)
    for (const lease of admission.admitted.values()) {
      desired.put(lease.key, planner.peer(node, lease))
      reach.set(lease)
    }
    current = { desired, admission, text }
    dirty.clear()
    refusals.tell(admission.rejected)
    if (before !== undefined) left = merge(left, before.desired.scope)
    return { desired, before: before?.desired.plan() ?? [] }
  }

  const full = (node: OverlayNode): Outcome => {
    const text = JSON.stringify([node, reach.facts(node.conf)])
    const isNew = current?.text !== text
    const { desired, before } = current === undefined || isNew ? rebuild(node, text) : { ...current, before: [] }
    flush()
    const mayRemove = leases.isKnown()
    if (before.length > 0) reconciler.transit(gone(before, desired), [])
    const outcome = reconciler.resync(desired.plan(), mayRemove ? merge(desired.scope, left) : NOTHING, !isNew)
    if (mayRemove && outcome.failures.length === 0) left = NOTHING
    return outcome
  }

  const note = (event: LeaseEvent): boolean => {
    leases.apply(event)
    if (current === undefined) return true
    const { admitted, withdrawn } = change(current.admission, event)
    for (const key of withdrawn) {
      dirty.set(key, undefined)
      reach.remove(key)
    }
    for (const lease of admitted) {
      dirty.set(lease.key, lease)
      reach.set(lease)
    }
    if (event.kind === 'all') refusals.tell(current.admission.rejected)
    else refusals.tell(current.admission.rejected, [event.kind === 'set' ? event.lease.key : event.key])
    return admitted.length + withdrawn.length > 0
  }

  const flush = (): void => {
    if (current === undefined || dirty.size === 0) return
    const { desired } = current
    const planner = plannerOf(desired.node.conf.backend)
    const [before, after]: [Plan[], Plan[]] = [[], []]
    logChange(dirty, log)
    for (const [key, lease] of dirty) {
      const plan = lease === undefined ? undefined : planner.peer(desired.node, lease)
      before.push(desired.put(key, plan))
      after.push(plan ?? [])
    }
    dirty.clear()
    reconciler.transit(before.flat(), after.flat())
  }

  return { full, note, flush, desired: () => current?.desired, admission: () => current?.admission }
}

/** One line, whatever the number. */
const logChange = (dirty: ReadonlyMap<string, Lease | undefined>, log: Log): void => {
  const [set, gone] = [[...dirty].filter(([, lease]) => lease !== undefined), [...dirty].filter(([, lease]) => !lease)]
  const named = (some: readonly (readonly [string, unknown])[]) => some.slice(0, NAMED).map(([key]) => key)
  log.info({ set: set.length, gone: gone.length, some: [...named(set), ...named(gone)] }, 'peers came, changed or went')
}

/** Facts of `before` whose identity the new plan does not have. */
const gone = (before: Plan, desired: Desired): Plan =>
  before.filter((fact) => desired.fact(identityOf(fact)) === undefined)
