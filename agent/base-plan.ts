/** What this node holds for itself, whichever peers there are. */
import type { Plan } from '../kernel/plan.ts'
import { blackholeFacts } from '../overlay/blackhole.ts'
import { type MasqueradeOptions, planMasquerade } from '../overlay/masquerade.ts'
import type { OverlayNode } from '../overlay/planner.ts'
import { plannerOf } from '../overlay/planners.ts'
import type { Options } from './options.ts'

const masqueradeOptions = (options: Options): MasqueradeOptions => ({
  backend: options.masqueradeBackend,
  ipMasq: options.ipMasq,
  randomFully: !options.ipMasqFullyRandomDisable,
  forwardRules: options.iptablesForwardRules,
})

export const basePlan = (node: OverlayNode, options: Options): Plan => [
  ...plannerOf(node.conf.backend).base(node),
  ...planMasquerade(masqueradeOptions(options), node),
  ...(options.ipBlackholeRoute ? blackholeFacts(node.own) : []),
]
