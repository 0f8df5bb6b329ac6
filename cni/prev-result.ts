/** prevResult as the plugin that made it reads it: it is the result of the whole chain, so its own interface is searched for
 *  and never taken by position. SPEC.md §3. */
import type { Cidr } from '../addr/cidr.ts'
import { CniError, ERR_CONFIG } from './error.ts'
import type { Call } from './plugin.ts'
import type { IpConfig, Result, Route } from './result.ts'

/** @throws CniError 7 when the runtime sent none */
export const requirePrevResult = (call: Call): Result => {
  if (call.prevResult !== undefined) return call.prevResult
  throw new CniError(ERR_CONFIG, 'prevResult is missing', `${call.verb} needs the result of this attachment's ADD`)
}

/** What IPAM answered, with the gateways and routes that the configuration adds. */
export interface Addressing {
  readonly ips: readonly IpConfig[]
  readonly routes: readonly Route[]
}

/** The addresses that belong to this attachment's interface in the sandbox, and the routes. */
export const recordedAddressing = (call: Call, prevResult: Result): Addressing => {
  const interfaces = prevResult.interfaces ?? []
  const own = interfaces.findIndex(
    ({ name, sandbox }) => name === call.ifName && sandbox !== undefined && sandbox !== '',
  )
  return {
    ips: (prevResult.ips ?? []).filter((ip) => ip.interface === undefined || ip.interface === own),
    routes: prevResult.routes ?? [],
  }
}

/** Of a path; one namespace may be spelled `/run/netns/x` and `/var/run/netns/x`. */
const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The addresses of this attachment as prevResult has them; none when the runtime sent none (a second DEL, a lost cache), or
 *  DEL was given one that names another sandbox: it is another container's. */
export const recordedAddresses = (call: Call): readonly Cidr[] => {
  const { prevResult, ifName, netns, verb } = call
  const own = prevResult?.interfaces?.find(
    ({ name, sandbox }) => name === ifName && sandbox !== undefined && sandbox !== '',
  )
  const isAnothers =
    verb === 'DEL' && own !== undefined && netns !== '' && lastPart(own.sandbox ?? '') !== lastPart(netns)
  return prevResult === undefined || isAnothers
    ? []
    : recordedAddressing(call, prevResult).ips.map(({ address }) => address)
}
