/** `vxlan`: the overlay without an agent. ADD takes a subnet for this node, brings up the device and its peers, and has
 *  another plugin, `bridge` unless told otherwise, attach the container to the subnet. SPEC.md §2, §4; flannel's data path. */
import {
  addDelegated,
  checkDelegated,
  delDelegated,
  gcDelegated,
  previewDelegated,
  type Remade,
  statusDelegated,
} from '../../cni/delegation.ts'
import { CniError, ERR_DRIFT, ERR_TRY_AGAIN, ERR_UNAVAILABLE } from '../../cni/error.ts'
import { failureOf } from '../../cni/failure.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { savedConf } from '../../cni/saved-conf.ts'
import { runAll } from '../../cni/steps.ts'
import { withKernel } from '../../kernel/kernel.ts'
import { ownerOf } from '../../kernel/owner.ts'
import { delegateConf, delegateDrift, recordedSubnets } from '../../overlay/delegate-conf.ts'
import { StoreError } from '../../overlay/store-error.ts'
import { parseVxlanConf, type VxlanConf } from './conf.ts'
import { bringUp, envOf, lookAt, mend, reportPeers, requireUp, type Up, withOverlayLock } from './overlay.ts'
import { wholePlan } from './plan.ts'

/** A store that cannot be used is one to try again with. @throws CniError `code` for that */
const storing = <T>(code: number, use: () => T): T => {
  try {
    return use()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new CniError(code, error.message, 'make the store reachable, and try again', { cause: error })
  }
}

const attach = ({ dataDir }: VxlanConf, call: Call, { node }: Up): Result =>
  addDelegated(call, dataDir, delegateConf(call, envOf(node)))

/** As `attach`, while nobody else uses what this call made. */
const attachFirst = (conf: VxlanConf, call: Call, up: Up): Result => {
  try {
    return attach(conf, call, up)
  } catch (error) {
    up.undo()
    throw error
  }
}

const add = (conf: VxlanConf, call: Call): Result =>
  withKernel(call.netns, (kernel) => {
    const ready = withOverlayLock(() => {
      const up = storing(ERR_TRY_AGAIN, () => bringUp(conf, kernel))
      return up.isFirst ? { result: attachFirst(conf, call, up) } : { up }
    })
    return 'up' in ready ? attach(conf, call, ready.up) : ready.result
  })

/** As far as it is known now: the store is not asked, so that DEL does not wait for it. */
const remade = (call: Call): Remade => {
  const subnets = recordedSubnets(call)
  return { conf: delegateConf(call, undefined, subnets), isComplete: subnets.length > 0 }
}

const del = ({ dataDir }: VxlanConf, call: Call): void => delDelegated(call, dataDir, () => remade(call))

const check = (conf: VxlanConf, call: Call): void => {
  const saved = savedConf(conf.dataDir, ownerOf(call))
  runAll(
    () => checkDelegated(call, saved ?? remade(call).conf),
    () =>
      withKernel('', (kernel) => {
        const node = storing(ERR_TRY_AGAIN, () => requireUp(conf, call.ifName, kernel))
        const drift = saved === undefined ? [] : delegateDrift(call, saved, delegateConf(call, envOf(node)))
        if (drift.length > 0)
          throw new CniError(ERR_DRIFT, `the node's lease is not the one of ADD: ${drift[0]}`, drift.join('\n'))
      }),
  )
}

/** Device and lease are the node's and stay, also without any pod: the node itself may speak with pods of the others. */
const gc = (conf: VxlanConf, call: Call): void =>
  runAll(
    () => gcDelegated(call, conf.dataDir, remade(call).conf),
    () => withOverlayLock(() => withKernel('', (kernel) => storing(ERR_TRY_AGAIN, () => mend(conf, kernel)))),
  )

/** @throws CniError 50 for whatever keeps ADD from bringing the overlay up */
const requireReady = (conf: VxlanConf, call: Call): void => {
  const { node } = withKernel('', (kernel) => {
    try {
      const look = lookAt(conf, kernel)
      reportPeers(look.plan, kernel)
      return look
    } catch (error) {
      const { message, details } =
        error instanceof StoreError ? new CniError(ERR_UNAVAILABLE, error.message) : failureOf(error)
      throw new CniError(ERR_UNAVAILABLE, `the overlay cannot be brought up: ${message}`, details, { cause: error })
    }
  })
  statusDelegated(call, delegateConf(call, envOf(node)))
}

const preview = (conf: VxlanConf, call: Call): Preview => {
  const { node, plan } = withKernel('', (kernel) => storing(ERR_TRY_AGAIN, () => lookAt(conf, kernel)))
  const { plan: attachment, result } = previewDelegated(call, delegateConf(call, envOf(node)))
  return { plan: [...wholePlan(plan), ...attachment], result }
}

export const plugin: Plugin<VxlanConf> = {
  type: 'vxlan',
  about: 'the overlay between nodes, and attachments to it, without an agent',
  delegatesTo: ['bridge'],
  parse: parseVxlanConf,
  add,
  check,
  del,
  gc,
  status: requireReady,
  preview,
}
