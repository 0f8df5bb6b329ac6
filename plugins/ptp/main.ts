/** `ptp`: joins a container to the node by a veth pair and routes, with no bridge. SPEC.md §2; upstream plugins/main/ptp. */
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import { ipamAdd, ipamCheck, ipamDel, ipamGc, ipamStatus, ipamTypeOf } from '../../cni/ipam.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import { recordedAddresses, recordedAddressing, requirePrevResult } from '../../cni/prev-result.ts'
import { releasingOnFailure } from '../../cni/recover.ts'
import type { Result } from '../../cni/result.ts'
import { runAll } from '../../cni/steps.ts'
import { apply, requireNoDrift } from '../../kernel/apply.ts'
import {
  derivedEnds,
  type End,
  type Ends,
  recordedEnds,
  refuseTaken,
  removeEnds,
  sweepEnds,
} from '../../kernel/ends.ts'
import { podReachable, withKernel } from '../../kernel/kernel.ts'
import { removeMasquerade, requireMasquerade, sweepMasquerade } from '../../kernel/masquerade.ts'
import { ownerOf } from '../../kernel/owner.ts'
import { type PtpConf, parsePtpConf } from './conf.ts'
import { planPtp, requireGateways } from './plan.ts'

/** Place of the pod's end among `interfaces`: behind the host end, as upstream. */
const POD_INDEX = 1

const parse = (call: Call): PtpConf => {
  if (ipamTypeOf(call) !== '') return parsePtpConf(call)
  throw new CniError(
    ERR_CONFIG,
    '$.ipam.type is missing',
    'ptp routes addresses: name an IPAM plugin, such as "host-local"',
  )
}

const resultOf = (conf: PtpConf, call: Call, ends: Ends, ipam: Result): Result => {
  const dns = conf.dns ?? ipam.dns
  const named = (end: End) => ({
    name: end.name,
    ...(end.mac === undefined ? {} : { mac: end.mac }),
    ...(conf.mtu === undefined ? {} : { mtu: conf.mtu }),
  })
  return {
    interfaces: [named(ends.host), { ...named(ends.pod), sandbox: call.netns }],
    ips: (ipam.ips ?? []).map((ip) => ({ ...ip, interface: POD_INDEX })),
    routes: ipam.routes ?? [],
    ...(dns === undefined ? {} : { dns }),
  }
}

const previewOf = (
  conf: PtpConf,
  call: Call,
  ipam: Result,
): Preview & { readonly plan: ReturnType<typeof planPtp> } => {
  const ends = derivedEnds(ownerOf(call), undefined)
  const ips = requireGateways(ipam.ips ?? [])
  return {
    plan: planPtp(conf, ownerOf(call), ends, ips, { ips, routes: ipam.routes ?? [] }),
    result: resultOf(conf, call, ends, ipam),
  }
}

const add = (conf: PtpConf, call: Call): Result =>
  withKernel(call.netns, (kernel) => {
    refuseTaken(call.ifName, call.netns, kernel)
    const ipam = ipamAdd(call)
    return releasingOnFailure(call, () => {
      const { plan, result } = previewOf(conf, call, ipam)
      apply(plan, kernel)
      return result
    })
  })

const check = (conf: PtpConf, call: Call): void =>
  withKernel(call.netns, (kernel) => {
    ipamCheck(call)
    const prevResult = requirePrevResult(call)
    const ends = recordedEnds(ownerOf(call), prevResult, kernel)
    const addressing = recordedAddressing(call, prevResult)
    requireNoDrift(planPtp(conf, ownerOf(call), ends, requireGateways(addressing.ips), addressing), call.ifName, kernel)
  })

const del = (_conf: PtpConf, call: Call): void =>
  withKernel(call.netns, (kernel) =>
    runAll(
      // before the link: the kernel frees elements in the background while it waits for the link's last users
      () => removeMasquerade(ownerOf(call), recordedAddresses(call), kernel),
      () => removeEnds(ownerOf(call), kernel, podReachable(kernel)),
      () => ipamDel(call),
    ),
  )

const gc = (_conf: PtpConf, call: Call): void =>
  withKernel('', (kernel) =>
    runAll(
      () => sweepEnds(call.conf.name, call.valid, kernel),
      () => sweepMasquerade(call.conf.name, call.valid, kernel),
      () => ipamGc(call),
    ),
  )

const status = (conf: PtpConf, call: Call): void => {
  if (conf.ipMasq) withKernel('', (kernel) => requireMasquerade(conf.ipMasqBackend, kernel))
  ipamStatus(call)
}

export const plugin: Plugin<PtpConf> = {
  type: 'ptp',
  about: 'joins a container to the node by a veth pair and routes',
  parse,
  add,
  check,
  del,
  gc,
  status,
  preview: (conf, call) => previewOf(conf, call, ipamAdd(call)),
}
