/** `loopback`: brings up a container's loopback interface. SPEC.md §2; upstream plugins/main/loopback. */
import type { Cidr } from '../../addr/cidr.ts'
import { CniError, ERR_CONFLICT, ERR_DRIFT } from '../../cni/error.ts'
import type { Call, Plugin } from '../../cni/plugin.ts'
import { requirePrevResult } from '../../cni/prev-result.ts'
import type { Result } from '../../cni/result.ts'
import { apply, driftOf } from '../../kernel/apply.ts'
import { type Kernel, podReachable, withKernel } from '../../kernel/kernel.ts'
import { indexOf } from '../../kernel/link-settings.ts'
import { dumpAddresses } from '../../netlink/address.ts'
import { setLink } from '../../netlink/link.ts'
import { type LoopbackConf, parseConf } from './conf.ts'
import { isLoopback, LOOPBACK, loopbackAddresses, planLoopback, recordedLoopback, resultOf } from './plan.ts'

/** The addresses of the interface. @throws CniError 103 when one of them is no loopback address */
const observeAddresses = (kernel: Kernel): readonly Cidr[] => {
  const found = dumpAddresses(kernel.route('pod'), indexOf('pod', LOOPBACK, kernel)).map(({ address }) => address)
  const strange = found.find((address) => !isLoopback(address))
  if (strange === undefined) return found
  throw new CniError(
    ERR_CONFLICT,
    `the loopback interface has the address ${strange}, which is no loopback address`,
    `another program added it; run in the container's namespace: ip addr del ${strange} dev ${LOOPBACK}`,
  )
}

const add = (_conf: LoopbackConf, call: Call): Result =>
  withKernel(call.netns, (kernel) => {
    apply(planLoopback(), kernel)
    return resultOf(call, observeAddresses(kernel))
  })

const check = (_conf: LoopbackConf, call: Call): void =>
  withKernel(call.netns, (kernel) => {
    const drift = driftOf(planLoopback(recordedLoopback(requirePrevResult(call))), kernel)
    if (drift.length > 0)
      throw new CniError(ERR_DRIFT, drift.join('; '), 'in the pod: ip link set lo down; ip link set lo up')
  })

/** Takes the interface down; a namespace that is gone took it along. */
const del = (_conf: LoopbackConf, { netns }: Call): void =>
  withKernel(netns, (kernel) => {
    if (podReachable(kernel))
      kernel.route('pod').request(`ip link set ${LOOPBACK} down`, setLink(LOOPBACK, { up: false }))
  })

const none = (): void => undefined

export const plugin: Plugin<LoopbackConf> = {
  type: 'loopback',
  about: "brings up the container's loopback interface",
  parse: parseConf,
  add,
  del,
  check,
  gc: none,
  status: none,
  preview: (_conf, call) => ({ plan: planLoopback(), result: resultOf(call, loopbackAddresses()) }),
}
