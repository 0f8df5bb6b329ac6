/** `flannel`: attaches a container by another plugin, `bridge` unless told otherwise, to the subnet that the node's lease
 *  names. A drop-in for flannel-io/cni-plugin, with the verbs that it lacks. SPEC.md §2, §4. */
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
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { savedConf } from '../../cni/saved-conf.ts'
import { runAll } from '../../cni/steps.ts'
import { ownerOf } from '../../kernel/owner.ts'
import { delegateConf, delegateDrift, recordedSubnets } from '../../overlay/delegate-conf.ts'
import { type FlannelConf, parseFlannelConf } from './conf.ts'
import { knownLease, readLease } from './lease.ts'

const add = ({ subnetFile, dataDir }: FlannelConf, call: Call): Result =>
  addDelegated(call, dataDir, delegateConf(call, readLease(subnetFile, ERR_TRY_AGAIN)))

/** As far as it is known now. */
const remade = ({ subnetFile }: FlannelConf, call: Call): Remade => {
  const lease = knownLease(subnetFile)
  const subnets = lease === undefined ? recordedSubnets(call) : []
  return { conf: delegateConf(call, lease, subnets), isComplete: lease !== undefined || subnets.length > 0 }
}

const del = (conf: FlannelConf, call: Call): void => delDelegated(call, conf.dataDir, () => remade(conf, call))

/** @throws CniError 100 when the node's lease is not the one that the container was attached with */
const requireLease = ({ subnetFile, dataDir }: FlannelConf, call: Call): void => {
  const now = delegateConf(call, readLease(subnetFile, ERR_DRIFT))
  const saved = savedConf(dataDir, ownerOf(call))
  const drift = saved === undefined ? [] : delegateDrift(call, saved, now)
  if (drift.length === 0) return
  const msg = `the node's lease is not the one that ${call.ifName} was attached with: ${drift[0]}`
  throw new CniError(ERR_DRIFT, msg, [...drift, 'delete the container and start it again'].join('\n'))
}

const check = (conf: FlannelConf, call: Call): void =>
  runAll(
    () => checkDelegated(call, savedConf(conf.dataDir, ownerOf(call)) ?? remade(conf, call).conf),
    () => requireLease(conf, call),
  )

const gc = (conf: FlannelConf, call: Call): void => gcDelegated(call, conf.dataDir, remade(conf, call).conf)

const status = ({ subnetFile }: FlannelConf, call: Call): void =>
  statusDelegated(call, delegateConf(call, readLease(subnetFile, ERR_UNAVAILABLE)))

const preview = ({ subnetFile }: FlannelConf, call: Call): Preview =>
  previewDelegated(call, delegateConf(call, readLease(subnetFile, ERR_TRY_AGAIN)))

export const plugin: Plugin<FlannelConf> = {
  type: 'flannel',
  about: "attaches a container by another plugin to this node's part of the overlay",
  delegatesTo: ['bridge'],
  parse: parseFlannelConf,
  add,
  check,
  del,
  gc,
  status,
  preview,
}
