/** Brings the kernel to a plan: by what differs from the last one (`transit`), or by what differs from a dump (`resync`). */
import { CniError, ERR_KERNEL } from '../cni/error.ts'
import { dumpAllAddresses } from '../netlink/address.ts'
import { dumpLinks, type Link } from '../netlink/link.ts'
import type { AddrFact } from './addr.ts'
import { type EntryFact, isEntry, renderRemoval } from './entry.ts'
import { writeEntries } from './entry-batch.ts'
import { compareEntries, type Place } from './holdings.ts'
import type { Kernel } from './kernel.ts'
import { removeLink } from './link-settings.ts'
import { planMending } from './mending.ts'
import { operationsOf } from './operations.ts'
import { type Log, type Outcome, openLog } from './outcome.ts'
import { isOverlayKind, isWithin, type Scope } from './ownership.ts'
import type { Fact, Plan } from './plan.ts'
import { isPeer } from './wireguard-batch.ts'
import { mendPeers } from './wireguard-mending.ts'

export { identityOf } from './identity.ts'
export { type Change, type Failure, type Outcome, objectOf } from './outcome.ts'
export type { Scope } from './ownership.ts'
export { transit } from './transit.ts'

const attempt = (fact: Fact, log: Log, run: () => void): void => {
  try {
    run()
  } catch (error) {
    log.failed(fact, error)
  }
}

const render = (fact: Fact): string => operationsOf(fact).render(fact)

/** An address that failed its detection of duplicates is there, and must go before it is made. Of no other kind is anything
 *  taken away for what making it does not mend: a link that the kernel gives another MTU would lose all that is on it with
 *  each pass. */
const makeHold = (fact: Fact, kernel: Kernel): boolean => {
  const operations = operationsOf(fact)
  const created = operations.ensure(fact, kernel)
  const why = operations.drift(fact, kernel)
  if (why === undefined) return created
  if (fact.kind !== 'addr') throw new CniError(ERR_KERNEL, why, `done, and still so: ${render(fact)}`)
  operations.remove(fact, kernel)
  return operations.ensure(fact, kernel)
}

const mendFact = (fact: Fact, kernel: Kernel, log: Log): void => {
  if (operationsOf(fact).drift(fact, kernel) === undefined) return
  const created = makeHold(fact, kernel)
  log.changed(() => render(fact), created ? 'missing' : 'different')
}

const removeStaleLinks = (plan: Plan, scope: Scope, kernel: Kernel, log: Log): void => {
  const wanted = new Set(plan.flatMap((fact) => (fact.kind === 'link' && fact.ns === 'node' ? [fact.name] : [])))
  for (const { name, kind } of dumpLinks(kernel.route('node'))) {
    if (!scope.devices.includes(name) || wanted.has(name) || !isOverlayKind(kind)) continue
    removeLink('node', name, kernel)
    log.changed(() => `ip link del ${name}`, 'stale')
  }
}

/** As flanneld does: of the addresses of its link those in the pod network are its own (pkg/ip EnsureV4AddressOnLink). */
const removeStaleAddresses = (plan: Plan, scope: Scope, links: readonly Link[], kernel: Kernel, log: Log): void => {
  const names = new Map(
    links.filter(({ name }) => scope.devices.includes(name)).map(({ index, name }) => [index, name]),
  )
  if (names.size === 0) return
  const wanted = new Set(plan.flatMap((fact) => (fact.kind === 'addr' ? [`${fact.dev} ${fact.address}`] : [])))
  for (const { index, address } of dumpAllAddresses(kernel.route('node'))) {
    const dev = names.get(index)
    if (dev === undefined || wanted.has(`${dev} ${address}`) || !isWithin(scope.networks, address)) continue
    const fact: AddrFact = { kind: 'addr', ns: 'node', dev, address }
    attempt(fact, log, () => {
      operationsOf(fact).remove(fact, kernel)
      log.changed(() => renderRemoval(fact), 'stale')
    })
  }
}

const placesFor = (facts: readonly EntryFact[], scope: Scope, links: readonly Link[]): Place[] => {
  const used = new Set([...scope.devices, ...scope.carriers])
  for (const fact of facts) if (fact.kind !== 'blackhole') used.add(fact.dev)
  return links
    .filter(({ name }) => used.has(name))
    .map(({ name, index, kind }) => ({ name, index, kind, own: scope.devices.includes(name) }))
}

const mendEntries = (
  facts: readonly EntryFact[],
  scope: Scope,
  links: readonly Link[],
  kernel: Kernel,
  log: Log,
): void => {
  const comparison = compareEntries(facts, placesFor(facts, scope, links), kernel.route('node'))
  writeEntries(planMending(facts, scope, comparison), kernel, log)
}

/** Dumps are of the node's namespace: the few entries of a pod's are looked at one by one. */
const isNodeEntry = (fact: Fact): fact is EntryFact => isEntry(fact) && fact.ns === 'node'

/** From whatever the kernel holds to the plan: what is missing or different is mended, what is ours by `scope` and not in
 *  the plan is removed, everything else stays. First links and all that there are few of, in order, then peers of WireGuard
 *  and entries (routes, neighbours, forwarding entries), which a new link has lost. Safe to be broken off anywhere and begun
 *  again. @throws NetlinkError when the kernel cannot be read, or does not let a stale link go */
export const resync = (plan: Plan, scope: Scope, kernel: Kernel): Outcome => {
  const log = openLog()
  kernel.indexes.clear()
  removeStaleLinks(plan, scope, kernel, log)
  for (const fact of plan)
    if (!isNodeEntry(fact) && !isPeer(fact)) attempt(fact, log, () => mendFact(fact, kernel, log))
  const links = dumpLinks(kernel.route('node'))
  removeStaleAddresses(plan, scope, links, kernel, log)
  mendPeers(plan, scope, kernel, log)
  mendEntries(plan.filter(isNodeEntry), scope, links, kernel, log)
  return log.outcome
}
