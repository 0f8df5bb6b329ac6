/** Whose traffic it is about, from the configuration and prevResult. */
import { addressOf, type Cidr, cidrFamily, hostCidr } from '../../addr/cidr.ts'
import { DecodeError } from '../../addr/error.ts'
import type { Family } from '../../addr/ip.ts'
import { ifNameProblem } from '../../cni/names.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { type Owner, ownerOf } from '../../kernel/owner.ts'
import type { FirewallConf } from './conf.ts'

export interface Pod {
  readonly owner: Owner
  /** The container's addresses, each with full length. */
  readonly sources: readonly Cidr[]
  /** The node's interface that the container is behind, which comes first: a bridge, or with ptp its own link; undefined
   *  when there is none (macvlan and the like: the node forwards nothing). */
  readonly host: string | undefined
  /** The node's other interfaces: with a bridge, the container's port. */
  readonly ports: readonly string[]
}

/** Addresses that are not stated to be the node's. */
const sourcesIn = ({ ips = [], interfaces = [] }: Result): Cidr[] => {
  const isNodes = (i: number | undefined) => i !== undefined && interfaces[i] !== undefined && !interfaces[i].sandbox
  return ips.filter((ip) => !isNodes(ip.interface)).map(({ address }) => hostCidr(addressOf(address)))
}

/** The node's interfaces. @throws DecodeError when one has no name that could be one */
const nodesIn = ({ interfaces = [] }: Result): string[] =>
  interfaces.flatMap(({ name, sandbox }, i) => {
    if (sandbox !== undefined && sandbox !== '') return []
    const problem = ifNameProblem(name)
    if (problem !== undefined) throw new DecodeError(`$.prevResult.interfaces[${i}].name`, problem)
    return [name]
  })

/** @throws DecodeError naming what prevResult lacks for an ingress policy */
export const podOf = (conf: FirewallConf, call: Call, prevResult: Result): Pod => {
  const [host, ...ports] = nodesIn(prevResult)
  if (conf.ingressPolicy !== 'open' && host === undefined)
    throw new DecodeError(
      '$.prevResult.interfaces',
      `no interface of the node is in it, and ingressPolicy "${conf.ingressPolicy}" is about one: put firewall behind bridge`,
    )
  return { owner: ownerOf(call), sources: [...new Set(sourcesIn(prevResult))], host, ports }
}

/** The addresses in prevResult as far as it can be read; none when the runtime sent none. */
export const knownSources = (call: Call): readonly Cidr[] =>
  call.prevResult === undefined ? [] : sourcesIn(call.prevResult)

export const FAMILIES = [4, 6] as const
export const ofFamily = (sources: readonly Cidr[], family: Family): Cidr[] =>
  sources.filter((source) => cidrFamily(source) === family)
