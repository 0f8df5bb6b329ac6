/** One pass: from what is known to the kernel and to subnet.env. */
import type { Kernel } from '../kernel/kernel.ts'
import type { Outcome } from '../kernel/reconcile.ts'
import type { OverlayNode } from '../overlay/planner.ts'
import { plannerOf } from '../overlay/planners.ts'
import { renderSubnetEnv, subnetEnvOf } from '../overlay/subnet-env.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import type { Leases } from './leases.ts'
import { type Log, wordsOf } from './log.ts'
import type { Options } from './options.ts'
import { writeSubnetFile } from './subnet-file.ts'

export interface PassParts {
  readonly know: Knowledge
  readonly options: Options
  readonly kernel: Kernel
  readonly log: Log
  readonly leases: Leases
  readonly keeper: Keeper
}

/** The node as it is to be programmed. While the lease is of another configuration than the one in force, as before. */
const nodeOf = ({ site, own, netConf }: Knowledge, keeper: Keeper): OverlayNode | undefined => {
  if (site === undefined || own === undefined || own.conf !== netConf?.conf) return keeper.desired()?.node
  return { ...site, own: own.own.lease }
}

/** A pod is given no address on an overlay whose links could not be made. */
const linksFailed = ({ failures }: Outcome): boolean =>
  failures.some(({ fact }) => fact.kind === 'link' || fact.kind === 'addr')

const writeEnv = ({ know, options, log }: PassParts, node: OverlayNode, outcome: Outcome): void => {
  if (linksFailed(outcome)) return
  const mtu = plannerOf(node.conf.backend).mtu(node)
  try {
    const text = renderSubnetEnv(subnetEnvOf(node.conf, node.own, mtu, options.ipMasq))
    if (writeSubnetFile(options.subnetFile, text)) log.info({ file: options.subnetFile }, 'subnet.env is written')
    delete know.subnetFileTrouble
  } catch (error) {
    const words = wordsOf(error)
    if (words !== know.subnetFileTrouble)
      log.error({ error: words }, 'subnet.env cannot be written: no pod can be attached')
    know.subnetFileTrouble = words
  }
}

/** Returns what the pass did; undefined while too little is known for one. */
export const makePass = (parts: PassParts): Outcome | undefined => {
  const { know, keeper, leases } = parts
  const node = nodeOf(know, keeper)
  if (node === undefined || !(leases.isKnown() || know.isRemembering)) return undefined
  const outcome = keeper.full(node)
  know.isSettled ||= leases.isKnown()
  writeEnv(parts, node, outcome)
  return outcome
}
