/** Fact: a link has an address. */
import { addressOf, type Cidr, cidrFamily, contains } from '../addr/cidr.ts'
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import {
  delAddress,
  dumpAddresses,
  hasBroadcast,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  newAddress,
} from '../netlink/address.ts'
import { isExists, isNotFound } from '../netlink/error.ts'
import { dumpLinks, getLink } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import { SHARED_ALIAS } from './owner.ts'
import type { Ns, Operations } from './plan.ts'

export interface AddrFact {
  readonly kind: 'addr'
  readonly ns: Ns
  readonly dev: string
  readonly address: Cidr
  /** IPv6 duplicate address detection runs; without it the address is usable at once (IFA_F_NODAD). */
  readonly dad?: true
  /** The kernel adds no route to the subnet (IFA_F_NOPREFIXROUTE). */
  readonly noPrefixRoute?: true
  /** A bridge's gateway address, shared by all its pods: never taken back by one of them. A differing IPv4 address, or an
   *  overlapping IPv6 one, is a conflict; `replace` resolves it in favour of this one: always, or when podwire made the
   *  bridge and no pod is on it. */
  readonly shared?: true
  readonly replace?: 'always' | 'when-idle'
}

const flagsOf = (fact: AddrFact): number =>
  (cidrFamily(fact.address) === 6 && !fact.dad ? IFA_F_NODAD : 0) | (fact.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0)

const add = (fact: AddrFact, index: number, kernel: Kernel): boolean => {
  try {
    kernel.route(fact.ns).request(() => render(fact), newAddress(index, fact.address, flagsOf(fact)))
    return true
  } catch (error) {
    if (isExists(error)) return false
    throw error
  }
}

/** Two IPv6 subnets may share a bridge when they do not overlap; IPv4 has one. fe80::/10 is the kernel's own. */
const conflicts = (found: Cidr, want: Cidr): boolean => {
  if (cidrFamily(found) !== cidrFamily(want) || found === want || found.startsWith('fe80:')) return false
  return cidrFamily(want) === 4 || contains(found, addressOf(want)) || contains(want, addressOf(found))
}

const ensureShared = (fact: AddrFact, index: number, kernel: Kernel): void => {
  const found = dumpAddresses(kernel.route(fact.ns), index).map(({ address }) => address)
  if (found.includes(fact.address)) return
  for (const other of found.filter((address) => conflicts(address, fact.address))) {
    if (!mayReplace(fact, index, kernel)) throw otherAddress(fact, other)
    kernel.route(fact.ns).request(`ip addr del ${other} dev ${fact.dev}`, delAddress(index, other))
  }
  add(fact, index, kernel)
}

const mayReplace = (fact: AddrFact, index: number, kernel: Kernel): boolean => {
  if (fact.replace !== 'when-idle') return fact.replace === 'always'
  if (getLink(kernel.route(fact.ns), fact.dev)?.alias !== SHARED_ALIAS) return false
  return dumpLinks(kernel.route(fact.ns)).every(({ master }) => master !== index)
}

const otherAddress = (fact: AddrFact, other: Cidr): CniError =>
  new CniError(
    ERR_CONFLICT,
    `${fact.dev} has the address ${other}, and this network's gateway is ${fact.address}`,
    `another network uses this bridge, or its subnet was changed: set "forceAddress": true to replace the address, name another "bridge", or run: ip addr del ${other} dev ${fact.dev}`,
  )

const ensure = (fact: AddrFact, kernel: Kernel): boolean => {
  const index = indexOf(fact.ns, fact.dev, kernel)
  if (!fact.shared) return add(fact, index, kernel)
  ensureShared(fact, index, kernel)
  return false
}

const remove = (fact: AddrFact, kernel: Kernel): void => {
  if (fact.shared) return
  const link = getLink(kernel.route(fact.ns), fact.dev)
  if (link === undefined) return
  try {
    kernel.route(fact.ns).request(`ip addr del ${fact.address} dev ${fact.dev}`, delAddress(link.index, fact.address))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const drift = (fact: AddrFact, kernel: Kernel): string | undefined => {
  const link = getLink(kernel.route(fact.ns), fact.dev)
  const found = link && dumpAddresses(kernel.route(fact.ns), link.index).find(({ address }) => address === fact.address)
  if (found === undefined) return `address ${fact.address} is missing on ${fact.dev}`
  return (found.flags & IFA_F_DADFAILED) === 0
    ? undefined
    : `address ${fact.address} on ${fact.dev} is used by another host (DAD failed)`
}

const render = (fact: AddrFact): string =>
  `ip addr add ${fact.address}${hasBroadcast(fact.address) ? ' broadcast +' : ''} dev ${fact.dev}${cidrFamily(fact.address) === 6 && !fact.dad ? ' nodad' : ''}${fact.noPrefixRoute ? ' noprefixroute' : ''}`

export const addrOperations: Operations<AddrFact> = { render, ensure, remove, drift }
