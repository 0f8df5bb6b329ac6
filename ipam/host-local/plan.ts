/** What ADD reserves and answers, from the configuration and what is free. Pure. */

import { cidrOf, lengthOf } from '../../addr/cidr.ts'
import { quote } from '../../addr/error.ts'
import type { Ip } from '../../addr/ip.ts'
import { CniError, ERR_CONFIG, ERR_EXHAUSTED } from '../../cni/error.ts'
import type { Dns, Result } from '../../cni/result.ts'
import { type Choice, chooseNext, type NextFree } from './allocator.ts'
import type { HostLocalConf } from './conf.ts'
import { type RangeSet, rangeFor, renderRange, renderSet, sizeOf } from './range.ts'

/** The address asked for in each range set, undefined where any will do. Each set gives one address.
 *  @throws CniError 7 when an address is in no set, is one too many for its set, or is a gateway */
export const assignRequests = ({ sets, requests }: HostLocalConf): readonly (Choice | undefined)[] => {
  if (requests.length === 0) return []
  const choices = sets.map((set) => {
    const address = requests.find((request) => rangeFor(set, request) !== undefined)
    const range = address === undefined ? undefined : rangeFor(set, address)
    return address === undefined || range === undefined ? undefined : { address, range }
  })
  const unmet = requests.filter((request) => !choices.some((choice) => choice?.address === request))
  if (unmet.length > 0)
    throw new CniError(
      ERR_CONFIG,
      `cannot give all addresses asked for: ${unmet.join(', ')} left over`,
      `each range set gives one address: ${sets.map((set, i) => `set ${i} is ${renderSet(set)}`).join('; ')}`,
    )
  for (const choice of choices) if (choice !== undefined) refuseGateway(choice)
  return choices
}

const refuseGateway = ({ address, range }: Choice): void => {
  if (address !== range.gateway) return
  const details = `ask for another address of ${renderRange(range)}, or set another "gateway"`
  throw new CniError(ERR_CONFIG, `the address asked for, ${address}, is the gateway of ${range.subnet}`, details)
}

/** Undefined where the set is exhausted. `last` is the address each set gave last. */
export const chooseAll = (
  sets: readonly RangeSet[],
  requested: readonly (Choice | undefined)[],
  last: (set: number) => Ip | undefined,
  nextFree: NextFree,
): readonly (Choice | undefined)[] => sets.map((set, i) => requested[i] ?? chooseNext(set, last(i), nextFree))

export const exhaustion = (set: RangeSet, index: number, folder: string): CniError => {
  const size = set.reduce((sum, range) => sum + sizeOf(range), 0n)
  return new CniError(
    ERR_EXHAUSTED,
    `no address is free in range set ${index} (${renderSet(set)}): all ${size} are reserved`,
    `one file per reservation in ${quote(folder)} names its owner; "podwire gc" releases those whose container is gone; or configure a larger range`,
  )
}

/** Upstream's result: an address per set, with its subnet's length. */
export const resultOf = ({ routes }: HostLocalConf, choices: readonly Choice[], dns: Dns | undefined): Result => ({
  ips: choices.map(({ address, range }) => ({
    address: cidrOf(address, lengthOf(range.subnet)),
    gateway: range.gateway,
  })),
  ...(routes.length > 0 ? { routes } : {}),
  ...(dns === undefined ? {} : { dns }),
})
