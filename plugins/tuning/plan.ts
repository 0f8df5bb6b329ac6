/** What the container's namespace must hold. Pure. */
import type { Call } from '../../cni/plugin.ts'
import type { Interface, Result } from '../../cni/result.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import type { Attributes, TuningConf } from './conf.ts'

export const attributesFact = (ifName: string, attributes: Attributes): Fact => ({
  kind: 'link-settings',
  ns: 'pod',
  name: ifName,
  settings: attributes,
})

export const hasAttributes = (attributes: Attributes): boolean => Object.keys(attributes).length > 0

/** Sysctls first, as upstream: `net.ipv6.conf.IFNAME.mtu` follows the link's. */
export const planTuning = ({ sysctls, attributes }: TuningConf, ifName: string): Plan => [
  ...sysctls.map(({ path, value }): Fact => ({ kind: 'sysctl', ns: 'pod', path, value })),
  ...(hasAttributes(attributes) ? [attributesFact(ifName, attributes)] : []),
]

/** `prevResult` with the container's interface as it is now; the very object when nothing in it changes. */
export const resultOf = ({ attributes: { mac, mtu } }: TuningConf, call: Call, prevResult: Result): Result => {
  const changes = { ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu }) }
  const isOwn = ({ name, sandbox }: Interface) => name === call.ifName && sandbox !== undefined && sandbox !== ''
  const { interfaces = [] } = prevResult
  if (Object.keys(changes).length === 0 || !interfaces.some(isOwn)) return prevResult
  return { ...prevResult, interfaces: interfaces.map((each) => (isOwn(each) ? { ...each, ...changes } : each)) }
}
