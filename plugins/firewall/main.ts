/** `firewall`: lets the container's traffic through the node's firewall. SPEC.md §2; upstream plugins/meta/firewall. */

import type { Call, Plugin } from '../../cni/plugin.ts'
import { requirePrevResult } from '../../cni/prev-result.ts'
import type { Result } from '../../cni/result.ts'
import { runAll } from '../../cni/steps.ts'
import { apply, driftOf, remove, requireNoDrift } from '../../kernel/apply.ts'
import { isFirewalldRunning } from '../../kernel/firewalld.ts'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { hasNft } from '../../kernel/nft-lookup.ts'
import { commentOf, networkPrefix, ownerOf } from '../../kernel/owner.ts'
import { checkPlans, chooseBackend, planFirewall } from './backend.ts'
import { type FirewallConf, parseFirewallConf } from './conf.ts'
import { knownSources, podOf } from './pod.ts'
import { type Release, releaseIptables } from './release-iptables.ts'
import { releaseNftables, zonedSources } from './release-nftables.ts'
import { requireReady } from './status.ts'

const add = (conf: FirewallConf, call: Call): Result =>
  withKernel('', (kernel) => {
    const prevResult = requirePrevResult(call)
    const pod = podOf(conf, call, prevResult)
    apply(planFirewall(chooseBackend(conf, kernel), conf, pod), kernel)
    return prevResult
  })

const check = (conf: FirewallConf, call: Call): void =>
  withKernel('', (kernel) => {
    const plans = checkPlans(conf, podOf(conf, call, requirePrevResult(call)), kernel)
    if (plans.some((plan) => driftOf(plan, kernel).length === 0)) return
    requireNoDrift(plans[0] ?? [], call.ifName, kernel)
  })

/** Takes the addresses of those who are gone out of firewalld: the recorded ones, and those of prevResult where nobody who
 *  stays has recorded them. */
const releaseFirewalld = (conf: FirewallConf, kernel: Kernel, { isGone, known }: Release): void => {
  const recorded = hasNft(kernel, 'node') ? zonedSources(kernel) : []
  const kept = recorded.filter(({ owner }) => !isGone(owner)).map(({ source }) => source)
  const mayBeZoned = conf.backend === undefined || conf.backend === 'firewalld'
  const gone = [...recorded.map(({ source }) => source), ...(mayBeZoned ? known : [])]
  const facts = [...new Set(gone)]
    .filter((source) => !kept.includes(source))
    .map((source) => ({ kind: 'firewalld-source', zone: conf.zone, source }) as const)
  if (facts.length > 0 && isFirewalldRunning()) remove(facts, kernel)
}

/** Every backend is looked at: the choice, or the configuration, may have been another at ADD. */
const releaseAll = (conf: FirewallConf, release: Release): void =>
  withKernel('', (kernel) =>
    runAll(
      () => releaseFirewalld(conf, kernel, release),
      () => {
        if (hasNft(kernel, 'node')) releaseNftables(kernel, release.isGone, release.andChains)
      },
      () => releaseIptables(kernel, release),
    ),
  )

const del = (conf: FirewallConf, call: Call): void => {
  const own = commentOf(ownerOf(call))
  releaseAll(conf, { isGone: (owner) => owner === own, known: knownSources(call), andChains: false })
}

const gc = (conf: FirewallConf, call: Call): void => {
  const network = call.conf.name
  const valid = new Set(call.valid.map((attachment) => commentOf({ network, ...attachment })))
  const isGone = (owner: string) => owner.startsWith(networkPrefix(network)) && !valid.has(owner)
  releaseAll(conf, { isGone, known: [], andChains: true })
}

export const plugin: Plugin<FirewallConf> = {
  type: 'firewall',
  about: "lets the container's traffic through the node's firewall",
  since: '0.3.0',
  chained: true,
  parse: parseFirewallConf,
  add,
  del,
  check,
  gc,
  status: (conf) => withKernel('', (kernel) => requireReady(conf, kernel)),
  preview: (conf, call) => {
    const result = requirePrevResult(call)
    return { plan: planFirewall(conf.backend ?? 'nftables', conf, podOf(conf, call, result)), result }
  },
}
