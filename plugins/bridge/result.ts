/** The result of a bridge attachment. */
import type { Mac } from '../../addr/mac.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Addressing } from '../../cni/prev-result.ts'
import type { Interface, Result } from '../../cni/result.ts'
import type { End, Ends } from '../../kernel/ends.ts'
import type { BridgeConf } from './conf.ts'
import { gatewayDevOf } from './plan.ts'

/** Place of the pod's end among `interfaces`: behind the bridge and the host end, as upstream. */
const POD_INDEX = 2

const interfaceOf = (end: End, conf: BridgeConf): Interface => ({
  name: end.name,
  ...(end.mac === undefined ? {} : { mac: end.mac }),
  ...(conf.mtu === undefined ? {} : { mtu: conf.mtu }),
})

const vlanGateways = (conf: BridgeConf, addressing: Addressing): string[] =>
  conf.isGateway && conf.vlan !== 0 && addressing.ips.length > 0 ? [gatewayDevOf(conf)] : []

/** The bridge, both ends, the VLAN's gateway where there is one; the configuration's DNS before IPAM's.
 *  @param macOf the address of an interface of the node, undefined when it is not known */
export const resultOf = (
  conf: BridgeConf,
  call: Call,
  ends: Ends,
  ipam: Result,
  addressing: Addressing,
  macOf: (name: string) => Mac | undefined,
): Result => {
  const named = (name: string): Interface => {
    const mac = macOf(name)
    return interfaceOf(mac === undefined ? { name } : { name, mac }, conf)
  }
  const pod = { ...interfaceOf(ends.pod, conf), sandbox: call.netns }
  const dns = conf.dns ?? ipam.dns
  return {
    interfaces: [named(conf.bridge), interfaceOf(ends.host, conf), pod, ...vlanGateways(conf, addressing).map(named)],
    ...(conf.ipam
      ? { ips: addressing.ips.map((ip) => ({ ...ip, interface: POD_INDEX })), routes: addressing.routes }
      : {}),
    ...(dns === undefined ? {} : { dns }),
  }
}
