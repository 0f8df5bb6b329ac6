/** Which backend, and what it asks of the kernel. */
import { isFirewalldRunning } from '../../kernel/firewalld.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { hasNft } from '../../kernel/nft-lookup.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { Backend, FirewallConf } from './conf.ts'
import { asksForIptables } from './obstacle.ts'
import { planIptables, planIptablesCheck } from './plan-iptables.ts'
import { planFirewalld, planNftables } from './plan-nftables.ts'
import type { Pod } from './pod.ts'

/** The configured one; else firewalld when it runs, as upstream; else iptables when the configuration or the node's rules
 *  ask for it; else nftables. */
export const chooseBackend = (conf: FirewallConf, kernel: Kernel): Backend => {
  if (conf.backend !== undefined) return conf.backend
  if (isFirewalldRunning()) return 'firewalld'
  return asksForIptables(conf, kernel) || !hasNft(kernel, 'node') ? 'iptables' : 'nftables'
}

const PLANS: Readonly<Record<Backend, (conf: FirewallConf, pod: Pod) => Plan>> = {
  nftables: planNftables,
  iptables: planIptables,
  firewalld: planFirewalld,
}

export const planFirewall = (backend: Backend, conf: FirewallConf, pod: Pod): Plan => PLANS[backend](conf, pod)

/** What CHECK asks for: without owners where the reference plugin may have made the attachment. */
const checkPlan = (backend: Backend, conf: FirewallConf, pod: Pod): Plan => {
  if (backend === 'iptables') return planIptablesCheck(conf, pod)
  const plan = planFirewall(backend, conf, pod)
  return backend === 'firewalld' ? plan.filter(({ kind }) => kind === 'firewalld-source') : plan
}

/** Plans of which one must hold: that of the backend that ADD would choose now, and where the choice was free, of the
 *  others, because the node's rules may have asked for another then. */
export const checkPlans = (conf: FirewallConf, pod: Pod, kernel: Kernel): readonly Plan[] => {
  const chosen = chooseBackend(conf, kernel)
  const others = (['nftables', 'iptables'] as const).filter((backend) => backend !== chosen)
  return [chosen, ...(conf.backend === undefined ? others : [])].map((backend) => checkPlan(backend, conf, pod))
}
