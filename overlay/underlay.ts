/** Which interface leads to the other nodes, and by which addresses they reach this one. flannel pkg/ipmatch
 *  `LookupExtIface`, main.go; what differs stands in docs/node-layer.md. */
import { addressOf, cidrFamily } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { type Family, familyOf, type Ip } from '../addr/ip.ts'
import { enabledFamilies, FAMILIES, publicIPOf } from './families.ts'
import type { NetConf } from './net-conf.ts'
import { leastMtu } from './overhead.ts'
import type { Site, Underlay } from './planner.ts'
import { requireDistinct } from './pod-range.ts'
import {
  type Candidate,
  type Search,
  type SeenLink,
  type UnderlayOptions,
  type UnderlaySeen,
  waysOf,
} from './underlay-candidate.ts'
import { usableOf } from './usable.ts'

export type { SeenLink, UnderlayOptions, UnderlaySeen } from './underlay-candidate.ts'

export type UnderlayChoice = Pick<Site, 'underlay' | 'publicIP' | 'publicIPv6'>

const givenAddresses = ({ publicIP, publicIPv6 }: UnderlayOptions): Ip[] =>
  [publicIP, publicIPv6].filter((address) => address !== undefined)

/** Why packets of some family could not travel by `link`: IPv6 is off on a link that cannot carry 1280 bytes. */
const mtuReason = ({ name, mtu }: SeenLink, conf: NetConf): string | undefined => {
  const { kind } = conf.backend
  const family = enabledFamilies(conf).find((each) => mtu < leastMtu(kind, each))
  return family === undefined
    ? undefined
    : `the interface ${name} has an MTU of ${mtu}, and IPv${family} by ${kind} needs ${leastMtu(kind, family)}`
}

/** The link with an endpoint of every enabled family; or why it has none. */
const underlayOf = (
  { link, preferred }: Exclude<Candidate, { readonly why: string }>,
  { options, seen }: Search,
): Underlay | { readonly why: string } => {
  const endpoint = (family: Family): Ip | undefined => {
    const usable = usableOf(seen, link, family)
    const wanted = [...preferred, ...givenAddresses(options)].filter((address) => familyOf(address) === family)
    return wanted.find((address) => usable.includes(address)) ?? usable[0]
  }
  const [ipv4, ipv6] = [endpoint(4), endpoint(6)]
  const lacking = enabledFamilies(options.conf).find((family) => (family === 4 ? ipv4 : ipv6) === undefined)
  if (lacking !== undefined) return { why: `the interface ${link.name} has no IPv${lacking} address` }
  const why = mtuReason(link, options.conf)
  if (why !== undefined) return { why }
  return {
    name: link.name,
    mtu: link.mtu,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    addresses: seen.addresses.filter(({ index }) => index === link.index).map(({ address }) => address),
  }
}

const publicAddresses = (options: UnderlayOptions, underlay: Underlay): Omit<UnderlayChoice, 'underlay'> => {
  const publicIP = options.publicIP ?? (options.conf.ipv4 && underlay.ipv4)
  const publicIPv6 = options.publicIPv6 ?? (options.conf.ipv6 && underlay.ipv6)
  return { ...(publicIP === undefined ? {} : { publicIP }), ...(publicIPv6 === undefined ? {} : { publicIPv6 }) }
}

const PUBLIC_OPTION = { 4: '--public-ip', 6: '--public-ipv6' } as const

const requireFamilies = (options: UnderlayOptions): void => {
  for (const family of FAMILIES) {
    const address = publicIPOf(options, family)
    if (address !== undefined && familyOf(address) !== family)
      throw new DecodeError(PUBLIC_OPTION[family], `${quote(address)} is not an IPv${family} address`)
  }
}

/** With host-gw the others route to the public address itself, so it must be on their link. */
const requireRoutable = ({ options }: Search, underlay: Underlay): void => {
  if (options.conf.backend.kind !== 'host-gw') return
  for (const family of enabledFamilies(options.conf)) {
    const address = publicIPOf(options, family)
    const own = underlay.addresses.filter((each) => cidrFamily(each) === family).map(addressOf)
    if (address === undefined || own.includes(address)) continue
    throw new DecodeError(
      PUBLIC_OPTION[family],
      `${quote(address)} is not an address of ${underlay.name} (${own.join(', ')}): behind a translator of addresses host-gw cannot work`,
    )
  }
}

/** The interface, this node's endpoints on it and its public addresses. @throws DecodeError naming the option, and for each
 *  that was tried why it does not do */
export const chooseUnderlay = (options: UnderlayOptions, seen: UnderlaySeen): UnderlayChoice => {
  requireFamilies(options)
  const search = { options, seen }
  const reasons: string[] = []
  for (const [option, find] of waysOf(search)) {
    const candidate = find()
    const underlay = 'why' in candidate ? candidate : underlayOf(candidate, search)
    if ('why' in underlay) {
      reasons.push(`${option}: ${underlay.why}`)
      continue
    }
    requireDistinct(options.conf, underlay)
    requireRoutable(search, underlay)
    return { underlay, ...publicAddresses(options, underlay) }
  }
  const [first = '--iface: nothing to choose from', ...others] = reasons
  const at = first.indexOf(': ')
  throw new DecodeError(first.slice(0, at), [first.slice(at + 2), ...others].join('; '))
}
