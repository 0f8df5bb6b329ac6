/** `portmap`: publishes container ports on ports of the node. SPEC.md §2; upstream plugins/meta/portmap. */
import { addressOf, cidrFamily } from '../../addr/cidr.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import { recordedAddresses, requirePrevResult } from '../../cni/prev-result.ts'
import type { Result } from '../../cni/result.ts'
import { apply, driftOf, requireNoDrift } from '../../kernel/apply.ts'
import { flushPublished } from '../../kernel/conntrack.ts'
import { hostLinkTo } from '../../kernel/host-link.ts'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { ownerOf } from '../../kernel/owner.ts'
import type { Plan } from '../../kernel/plan.ts'
import { type PortmapConf, parsePortmapConf } from './conf.ts'
import { iptablesFacts } from './iptables.ts'
import { planPortmap, targetsOf } from './plan.ts'
import { requireBackend } from './readiness.ts'
import { sweep, udpPorts, withdraw } from './withdrawal.ts'

const planOf = (conf: PortmapConf, call: Call, kernel: Kernel): Plan => {
  const addresses = recordedAddresses(call)
  const pod = targetsOf(addresses).find((address) => cidrFamily(address) === 4)
  const dev = conf.snat && pod !== undefined ? hostLinkTo(addressOf(pod), kernel) : undefined
  return planPortmap(conf, ownerOf(call), addresses, dev)
}

const add = (conf: PortmapConf, call: Call): Result => {
  const prevResult = requirePrevResult(call)
  if (conf.mappings.length === 0) return prevResult
  withKernel('', (kernel) => {
    apply(planOf(conf, call, kernel), kernel)
    for (const port of udpPorts(conf.mappings, recordedAddresses(call))) flushPublished(kernel, 'node', port)
  })
  return prevResult
}

/** A pod that the reference plugin attached, by iptables, before the node changed over. */
const isReferenceMade = (conf: PortmapConf, call: Call, kernel: Kernel): boolean => {
  const facts = iptablesFacts(conf, ownerOf(call), targetsOf(recordedAddresses(call)), 'reference')
  return facts.length > 0 && driftOf(facts, kernel).length === 0
}

const check = (conf: PortmapConf, call: Call): void => {
  requirePrevResult(call)
  if (conf.mappings.length === 0) return
  withKernel('', (kernel) => {
    const plan = planOf(conf, call, kernel)
    if (driftOf(plan, kernel).length > 0 && isReferenceMade(conf, call, kernel)) return
    requireNoDrift(plan, call.ifName, kernel)
  })
}

const del = (conf: PortmapConf, call: Call): void =>
  withKernel('', (kernel) => withdraw(conf, ownerOf(call), recordedAddresses(call), kernel))

const gc = (_conf: PortmapConf, call: Call): void =>
  withKernel('', (kernel) => sweep(call.conf.name, call.valid, kernel))

/** The node's link as prevResult names it: the first interface that is in no sandbox. */
const previewLink = ({ prevResult }: Call): string | undefined =>
  prevResult?.interfaces?.find(({ sandbox = '' }) => sandbox === '')?.name

const preview = (conf: PortmapConf, call: Call): Preview => ({
  plan: planPortmap(conf, ownerOf(call), recordedAddresses(call), previewLink(call)),
  result: requirePrevResult(call),
})

export const plugin: Plugin<PortmapConf> = {
  type: 'portmap',
  about: 'publishes container ports on ports of the node',
  chained: true,
  parse: parsePortmapConf,
  add,
  check,
  del,
  gc,
  status: (conf) => withKernel('', (kernel) => requireBackend(conf.backend, kernel)),
  preview,
}
