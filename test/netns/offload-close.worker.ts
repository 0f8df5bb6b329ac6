/** Run inside a node's namespace: examines the device given with the peer given, ends while offload is off on trial, and prints
 *  whether it was off then and is on now. */
import { readIp } from '../../addr/ip.ts'
import { offloadFact, openOffloadProbe } from '../../agent/offload-probe.ts'
import { openKernel } from '../../kernel/kernel.ts'
import { isOffloaded } from '../../kernel/offload.ts'

const [device = '', peer = ''] = process.argv.slice(2)
const kernel = openKernel('')
const isOn = (): boolean => isOffloaded(offloadFact(device, true), kernel)
const probe = openOffloadProbe({ kernel, kernelRelease: '6.1.0', onFinding: ({ why }) => console.log(why) })
probe.consider(
  device,
  [peer].flatMap((text) => readIp(text) ?? []),
)
const timer = setInterval(() => {
  if (isOn()) return
  probe.close()
  console.log(JSON.stringify({ wasOff: true, isOn: isOn() }))
  clearInterval(timer)
  kernel.close()
}, 20)
