/** Where to look for the underlay: each option as a way to a link, or to the reason why there is none. */
import { addressOf } from '../addr/cidr.ts'
import { quote } from '../addr/error.ts'
import { type Ip, readIp } from '../addr/ip.ts'
import type { LinkAddress } from '../netlink/address.ts'
import { isOverlayDevice } from './devices.ts'
import { enabledFamilies } from './families.ts'
import type { NetConf } from './net-conf.ts'
import { parsePattern } from './pattern.ts'
import { usableOf } from './usable.ts'

export interface UnderlayOptions {
  readonly conf: NetConf
  /** `--iface`: names or addresses, the first that fits counts. */
  readonly ifaces: readonly string[]
  /** `--iface-regex`: of addresses or names; looked at after `ifaces`. */
  readonly ifaceRegexes: readonly string[]
  /** `--iface-can-reach`: the interface by which packets to it leave; looked at last. */
  readonly ifaceCanReach?: Ip
  /** `--public-ip`, `--public-ipv6`: what the others reach this node by. Without the options above each names the interface
   *  that has it. */
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
}

export interface SeenLink {
  readonly index: number
  readonly name: string
  /** Bytes. */
  readonly mtu: number
}

/** The node as `observeUnderlay` found it. */
export interface UnderlaySeen {
  readonly links: readonly SeenLink[]
  readonly addresses: readonly LinkAddress[]
  /** Index of the link of the best default route of each family. */
  readonly defaults: { readonly 4?: number; readonly 6?: number }
  /** The way to `ifaceCanReach`. */
  readonly reach?: { readonly index: number; readonly src?: Ip }
}

/** A link, and addresses of it that come before its others; or why there is none. */
export type Candidate = { readonly link: SeenLink; readonly preferred: readonly Ip[] } | { readonly why: string }

export interface Search {
  readonly options: UnderlayOptions
  readonly seen: UnderlaySeen
}

const namesOf = ({ links }: UnderlaySeen): string => links.map(({ name }) => name).join(', ') || 'none'

const byAddress = (address: Ip, { seen }: Search): Candidate => {
  const index = seen.addresses.find((each) => addressOf(each.address) === address)?.index
  const link = seen.links.find((each) => each.index === index)
  return link === undefined ? { why: `no interface has the address ${address}` } : { link, preferred: [address] }
}

const byName = (text: string, search: Search): Candidate => {
  const address = readIp(text)
  if (address !== undefined) return byAddress(address, search)
  const link = search.seen.links.find(({ name }) => name === text)
  return link === undefined
    ? { why: `there is no interface ${quote(text)}, only ${namesOf(search.seen)}` }
    : { link, preferred: [] }
}

/** The first link of which an address of every family matches; else the first whose name does and which has them. */
const byPattern = (text: string, { options, seen }: Search): Candidate => {
  const pattern = parsePattern(text, '--iface-regex')
  const families = enabledFamilies(options.conf)
  const links = seen.links.filter(({ name }) => !isOverlayDevice(name))
  const matching = links.map((link) => ({
    link,
    preferred: families.map((family) => usableOf(seen, link, family).find((address) => pattern.test(address))),
  }))
  const found = matching.find(({ preferred }) => preferred.every((address) => address !== undefined))
  if (found !== undefined)
    return { link: found.link, preferred: found.preferred.filter((address) => address !== undefined) }
  const named = links.filter(({ name }) => pattern.test(name))
  const link = named.find((each) => families.every((family) => usableOf(seen, each, family).length > 0)) ?? named[0]
  if (link !== undefined) return { link, preferred: [] }
  const shown = links.map((each) => `${each.name} ${families.flatMap((f) => usableOf(seen, each, f)).join(' ')}`.trim())
  return { why: `${quote(text)} matches no address or name of ${shown.join(', ') || 'any interface'}` }
}

const byReach = (address: Ip, { seen }: Search): Candidate => {
  const link = seen.links.find(({ index }) => index === seen.reach?.index)
  if (link === undefined) return { why: `there is no route to ${address}` }
  const { src } = seen.reach ?? {}
  return { link, preferred: src === undefined ? [] : [src] }
}

/** The interface of the default routes: of both families the same one. */
const byDefault = ({ options, seen }: Search): Candidate => {
  const families = enabledFamilies(options.conf)
  const links = families.map((family) => seen.links.find(({ index }) => index === seen.defaults[family]))
  const lacking = families.find((_, i) => links[i] === undefined)
  const [link, other = link] = links
  if (lacking !== undefined || link === undefined || other === undefined)
    return { why: `there is no default IPv${lacking} route: name the interface with --iface` }
  if (link.index === other.index) return { link, preferred: [] }
  return {
    why: `the default IPv4 route leaves by ${link.name}, that of IPv6 by ${other.name}: name one of them with --iface`,
  }
}

/** The options that are given, in their order of precedence; without any, the default route. */
export const waysOf = (search: Search): (readonly [option: string, find: () => Candidate])[] => {
  const { ifaces, ifaceRegexes, ifaceCanReach, publicIP, publicIPv6 } = search.options
  const named = [
    ...ifaces.map((text) => ['--iface', () => byName(text, search)] as const),
    ...ifaceRegexes.map((text) => ['--iface-regex', () => byPattern(text, search)] as const),
    ...(ifaceCanReach === undefined ? [] : [['--iface-can-reach', () => byReach(ifaceCanReach, search)] as const]),
  ]
  if (named.length > 0) return named
  if (publicIP !== undefined) return [['--public-ip', () => byAddress(publicIP, search)]]
  if (publicIPv6 !== undefined) return [['--public-ipv6', () => byAddress(publicIPv6, search)]]
  return [['--iface', () => byDefault(search)]]
}
