/** `bandwidth`: limits the rate of what a container receives and sends. Chained behind a plugin that makes a veth pair.
 *  SPEC.md §2; CONVENTIONS.md `bandwidth`; upstream plugins/meta/bandwidth. */
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import { requirePrevResult } from '../../cni/prev-result.ts'
import type { Result } from '../../cni/result.ts'
import { runAll } from '../../cni/steps.ts'
import { apply, requireNoDrift } from '../../kernel/apply.ts'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { removeLink } from '../../kernel/link-settings.ts'
import { ownerOf } from '../../kernel/owner.ts'
import { isNotFound, NetlinkError } from '../../netlink/error.ts'
import { delLink } from '../../netlink/link.ts'
import { requireLinkKind, requireTbf } from '../../netlink/probe.ts'
import { type BandwidthConf, parseConf } from './conf.ts'
import { findHostEnd, type HostEnd, presumedHostEnd } from './host-end.ts'
import { findUpstreamIfb, ifbOf, presentIfb, staleIfbs } from './ifb.ts'
import { planBandwidth, resultOf } from './plan.ts'

const isUnlimited = ({ ingress, egress }: BandwidthConf): boolean => ingress === undefined && egress === undefined

const previewAt = (
  conf: BandwidthConf,
  call: Call,
  host: HostEnd,
): Preview & { readonly plan: ReturnType<typeof planBandwidth> } => {
  const owner = ownerOf(call)
  const ifb = ifbOf(owner)
  return {
    plan: planBandwidth(conf, owner, host, ifb),
    result: resultOf(conf, ifb, requirePrevResult(call)),
  }
}

const add = (conf: BandwidthConf, call: Call): Result => {
  if (isUnlimited(conf)) return requirePrevResult(call)
  return withKernel(call.netns, (kernel) => {
    const { plan, result } = previewAt(conf, call, findHostEnd(call, kernel))
    apply(plan, kernel)
    return result
  })
}

const check = (conf: BandwidthConf, call: Call): void => {
  if (isUnlimited(conf)) return
  withKernel(call.netns, (kernel) => {
    const owner = ownerOf(call)
    const plan = planBandwidth(conf, owner, findHostEnd(call, kernel), presentIfb(owner, kernel))
    requireNoDrift(plan, call.ifName, kernel)
  })
}

/** Whether an ifb of our own was there to be removed. */
const removeOwnIfb = (call: Call, kernel: Kernel): boolean => {
  const { name } = ifbOf(ownerOf(call))
  try {
    kernel.route('node').request(`ip link del ${name}`, delLink(name))
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** The ifb alone: everything else goes with the container's veth pair. Upstream's is removed unless prevResult shows that
 *  it is another attachment's. */
const removeIfb = (call: Call, kernel: Kernel): void => {
  if (removeOwnIfb(call, kernel)) return
  const upstream = findUpstreamIfb(ownerOf(call), kernel)
  const interfaces = call.prevResult?.interfaces
  if (upstream !== undefined && (interfaces === undefined || interfaces.some(({ name }) => name === upstream.name)))
    removeLink('node', upstream.name, kernel)
}

const del = (_conf: BandwidthConf, call: Call): void => withKernel('', (kernel) => removeIfb(call, kernel))

const gc = (_conf: BandwidthConf, call: Call): void =>
  withKernel('', (kernel) => {
    const stale = staleIfbs(call.conf.name, call.valid, kernel)
    runAll(...stale.map((name) => () => removeLink('node', name, kernel)))
  })

const unavailable = (error: NetlinkError): CniError =>
  new CniError(
    ERR_UNAVAILABLE,
    `this kernel cannot shape traffic: ${error.message}`,
    'run as root with CAP_NET_ADMIN, and load the modules ifb, sch_tbf, sch_ingress, cls_u32 and act_mirred',
    { cause: error },
  )

const status = (): void =>
  withKernel('', (kernel) => {
    try {
      requireLinkKind(kernel.route('node'), 'ifb')
      requireTbf(kernel.route('node'))
    } catch (error) {
      throw error instanceof NetlinkError ? unavailable(error) : error
    }
  })

export const plugin: Plugin<BandwidthConf> = {
  type: 'bandwidth',
  about: "limits the rate of a container's traffic, behind a plugin that makes a veth pair",
  since: '0.3.0',
  chained: true,
  parse: parseConf,
  add,
  del,
  check,
  gc,
  status,
  preview: (conf, call) => previewAt(conf, call, presumedHostEnd(call)),
}
