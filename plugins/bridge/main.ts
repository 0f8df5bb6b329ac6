/** `bridge`: joins a container to a Linux bridge by a veth pair. One plan serves ADD, CHECK and `podwire plan`; DEL and GC
 *  work from names and owners alone. SPEC.md §2; upstream plugins/main/bridge. */
import { ipamAdd, ipamCheck, ipamDel, ipamGc, ipamStatus } from '../../cni/ipam.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import { recordedAddresses, recordedAddressing, requirePrevResult } from '../../cni/prev-result.ts'
import { releasingOnFailure } from '../../cni/recover.ts'
import type { Result } from '../../cni/result.ts'
import { runAll } from '../../cni/steps.ts'
import { apply, requireNoDrift } from '../../kernel/apply.ts'
import { derivedEnds, recordedEnds, refuseTaken, removeEnds, sweepEnds } from '../../kernel/ends.ts'
import { type Kernel, podReachable, withKernel } from '../../kernel/kernel.ts'
import { removeMasquerade, requireMasquerade, sweepMasquerade } from '../../kernel/masquerade.ts'
import { ownerOf } from '../../kernel/owner.ts'
import { getLink } from '../../netlink/link.ts'
import { type BridgeConf, parseBridgeConf } from './conf.ts'
import { removeMacspoof, sweepMacspoof } from './macspoofchk.ts'
import { completeAddressing, planBridge } from './plan.ts'
import { newBridgeMac, refuseOtherBridge, removeIdleBridge } from './port.ts'
import { resultOf } from './result.ts'

const attach = (conf: BridgeConf, call: Call, ipam: Result, kernel: Kernel): Result => {
  const ends = derivedEnds(ownerOf(call), conf.mac)
  const addressing = completeAddressing(conf, ipam)
  apply(planBridge(conf, ownerOf(call), ends, addressing, newBridgeMac()), kernel)
  return resultOf(conf, call, ends, ipam, addressing, (name) => getLink(kernel.route('node'), name)?.mac)
}

const add = (conf: BridgeConf, call: Call): Result =>
  withKernel(call.netns, (kernel) => {
    refuseTaken(call.ifName, call.netns, kernel)
    const ipam = ipamAdd(call)
    return releasingOnFailure(call, () => attach(conf, call, ipam, kernel))
  })

const check = (conf: BridgeConf, call: Call): void =>
  withKernel(call.netns, (kernel) => {
    ipamCheck(call)
    const prevResult = requirePrevResult(call)
    const ends = recordedEnds(ownerOf(call), prevResult, kernel)
    requireNoDrift(planBridge(conf, ownerOf(call), ends, recordedAddressing(call, prevResult)), call.ifName, kernel)
  })

const del = (_conf: BridgeConf, call: Call): void =>
  withKernel(call.netns, (kernel) =>
    runAll(
      // before the link: the kernel frees elements in the background while it waits for the link's last users
      () => removeMasquerade(ownerOf(call), recordedAddresses(call), kernel),
      () => removeEnds(ownerOf(call), kernel, podReachable(kernel)),
      () => removeMacspoof(ownerOf(call), kernel),
      () => ipamDel(call),
    ),
  )

const gc = (conf: BridgeConf, call: Call): void =>
  withKernel('', (kernel) =>
    runAll(
      () => sweepEnds(call.conf.name, call.valid, kernel),
      () => sweepMasquerade(call.conf.name, call.valid, kernel),
      () => sweepMacspoof(call.conf.name, call.valid, kernel),
      () => {
        if (call.valid.length === 0) removeIdleBridge(conf.bridge, kernel)
      },
      () => ipamGc(call),
    ),
  )

const status = (conf: BridgeConf, call: Call): void => {
  withKernel('', (kernel) => {
    refuseOtherBridge(conf, kernel)
    if (conf.ipMasq) requireMasquerade(conf.ipMasqBackend, kernel)
  })
  ipamStatus(call)
}

const preview = (conf: BridgeConf, call: Call): Preview => {
  const ipam = conf.ipam ? ipamAdd(call) : {}
  const ends = derivedEnds(ownerOf(call), conf.mac)
  const addressing = completeAddressing(conf, ipam)
  return {
    plan: planBridge(conf, ownerOf(call), ends, addressing),
    result: resultOf(conf, call, ends, ipam, addressing, () => undefined),
  }
}

export const plugin: Plugin<BridgeConf> = {
  type: 'bridge',
  about: 'joins a container to a Linux bridge by a veth pair',
  parse: parseBridgeConf,
  add,
  check,
  del,
  gc,
  status,
  preview,
}
