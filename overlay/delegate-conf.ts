/** The configuration of the plugin that attaches pods to this node's part of the overlay, as flannel's plugin makes it
 *  (flannel-io/cni-plugin flannel.go, flannel_linux.go `getDelegateIPAM`). */
import { networkOf } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import type { Call, Json, JsonObject } from '../cni/plugin.ts'
import { recordedAddresses } from '../cni/prev-result.ts'
import type { SubnetEnv } from './subnet-env.ts'

/** Keys of the plugins `flannel` and `vxlan`, as their schemas let them through. */
export interface DelegationKeys {
  readonly delegate?: JsonObject
  readonly ipam?: JsonObject
  readonly runtimeConfig?: JsonObject
}

const SET = ['name', 'ipam'] as const

/** Refuses keys of `delegate` that are not the configuration's to set, and a delegate that is `type` itself.
 *  @throws DecodeError */
export const requireDelegate = ({ delegate = {} }: DelegationKeys, type: string): void => {
  for (const key of SET)
    if (delegate[key] !== undefined)
      throw new DecodeError(
        `$.delegate.${key}`,
        `${quote(delegate[key])} must not be there: ${type} sets it, from $.${key}`,
      )
  if (delegate['type'] === type)
    throw new DecodeError('$.delegate.type', `${quote(type)} would delegate to itself: name another plugin`)
}

const routesOf = (ipam: JsonObject, env: SubnetEnv | undefined): readonly Json[] => [
  ...((ipam['routes'] ?? []) as readonly Json[]),
  ...[...(env?.networks ?? []), ...(env?.ipv6Networks ?? [])].map((dst) => ({ dst })),
]

const subnetsOf = (env: SubnetEnv): readonly string[] => [env.subnet, env.ipv6Subnet].filter((one) => one !== undefined)

const defaultsOf = (delegate: JsonObject, env: SubnetEnv | undefined): JsonObject => ({
  type: 'bridge',
  ...(env === undefined ? {} : { mtu: env.mtu, ipMasq: !env.ipMasq }),
  ...((delegate['type'] ?? 'bridge') === 'bridge' ? { isGateway: true } : {}),
})

/** What the delegate gets. `env` is undefined when the node's subnets are not known; `subnets` stand in for its own then. */
export const delegateConf = (call: Call, env: SubnetEnv | undefined, subnets: readonly string[] = []): JsonObject => {
  const { delegate = {}, ipam = {}, runtimeConfig } = call.conf as DelegationKeys
  const ranges = (env === undefined ? subnets : subnetsOf(env)).map((subnet) => [{ subnet }])
  return {
    ...defaultsOf(delegate, env),
    ...delegate,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    name: call.conf.name,
    cniVersion: call.conf.cniVersion,
    ipam: { type: 'host-local', ...ipam, ranges, routes: routesOf(ipam, env) },
  }
}

/** The subnets of the addresses that prevResult has. */
export const recordedSubnets = (call: Call): readonly string[] => {
  try {
    return [...new Set(recordedAddresses(call).map(networkOf))]
  } catch {
    return []
  }
}

/** The subnets that a delegate's configuration hands addresses out of: a single one of the old style (flannel's plugin
 *  before 1.0), and ranges. */
const subnetsIn = (conf: JsonObject): readonly string[] => {
  const { subnet, ranges } = (conf['ipam'] ?? {}) as JsonObject
  const sets = Array.isArray(ranges) ? (ranges as readonly Json[]).flat() : []
  return [subnet, ...sets.map((range) => (range as JsonObject | null)?.['subnet'])]
    .filter((one) => typeof one === 'string' && one !== '')
    .map(String)
}

/** In what the delegate was given at ADD differs from what it would be given `now`, of that which the node's lease says and
 *  the configuration does not: one line for each difference. */
export const delegateDrift = (call: Call, saved: JsonObject, now: JsonObject): readonly string[] => {
  const { delegate = {} } = call.conf as DelegationKeys
  const keys = ['mtu', 'ipMasq'].filter((key) => delegate[key] === undefined)
  return [
    ['subnets', subnetsIn(saved), subnetsIn(now)] as const,
    ...keys.map((key) => [key, saved[key], now[key]] as const),
  ]
    .filter(([, before, after]) => JSON.stringify(before) !== JSON.stringify(after))
    .map(([what, before, after]) => `${what}: the pod was attached with ${quote(before)}, the node has ${quote(after)}`)
}
