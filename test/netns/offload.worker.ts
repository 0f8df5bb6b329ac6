/** Run inside a node's namespace: examines the device given with the peers given, and prints the finding as JSON. */
import { readIp } from '../../addr/ip.ts'
import { openOffloadProbe } from '../../agent/offload-probe.ts'
import { openKernel } from '../../kernel/kernel.ts'

const [device = '', ...peers] = process.argv.slice(2)
const kernel = openKernel('')
const probe = openOffloadProbe({
  kernel,
  kernelRelease: '6.1.0',
  onFinding: (finding) => {
    console.log(JSON.stringify({ verdict: finding.verdict, why: finding.why, facts: probe.facts([device, 'other']) }))
    probe.close()
    kernel.close()
  },
})
const addresses = peers.flatMap((peer) => readIp(peer) ?? [])
probe.consider(device, addresses)
probe.consider(device, addresses)
