/** Fact: an existing link has these settings. Also what other facts need of links: names to indexes, removal. */
import { CniError, ERR_KERNEL } from '../cni/error.ts'
import { isNotFound, type NetlinkError } from '../netlink/error.ts'
import { delLink, getLink, type Link, type LinkSettings, setLink } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import type { Ns, Operations } from './plan.ts'

/** As in netlink/link.ts, but the bridge a port belongs to is named. */
export type Settings = Omit<LinkSettings, 'master'> & { readonly master?: string }

export interface LinkSettingsFact {
  readonly kind: 'link-settings'
  readonly ns: Ns
  readonly name: string
  readonly settings: Settings
}

/** The index of a link. @throws CniError 102 when it is not there */
export const indexOf = (ns: Ns, name: string, kernel: Kernel): number => {
  const known = kernel.indexes.get(`${ns}/${name}`)
  if (known !== undefined) return known
  const found = getLink(kernel.route(ns), name)
  if (found === undefined)
    throw new CniError(
      ERR_KERNEL,
      `the interface ${name} is not there`,
      'it was removed meanwhile; run the same call again',
    )
  kernel.indexes.set(`${ns}/${name}`, found.index)
  return found.index
}

/** `settings` with the bridge's index in place of its name. @throws CniError when the bridge is not there */
export const netlinkSettings = (
  { ns, settings }: { readonly ns: Ns; readonly settings: Settings },
  kernel: Kernel,
): LinkSettings => {
  const { master, ...rest } = settings
  return master === undefined ? rest : { ...rest, master: indexOf(ns, master, kernel) }
}

const onOff = (word: string, value: boolean | undefined): string =>
  value === undefined ? '' : ` ${word} ${value ? 'on' : 'off'}`
const worded = (word: string, value: string | number | undefined): string =>
  value === undefined ? '' : ` ${word} ${value}`

/** ` mtu 1400 master cni0 up` ...: what follows the name in `ip link add` and `ip link set`. */
export const renderSettings = (s: Settings): string =>
  [
    worded('address', s.mac),
    worded('mtu', s.mtu),
    worded('txqueuelen', s.txQLen),
    worded('master', s.master),
    worded('alias', s.alias),
    onOff('promisc', s.promisc),
    onOff('allmulticast', s.allmulti),
    s.up === undefined ? '' : s.up ? ' up' : ' down',
    s.vlanFiltering === undefined ? '' : ` type bridge vlan_filtering ${s.vlanFiltering ? 1 : 0}`,
    s.hairpin === undefined && s.isolated === undefined ? '' : ' type bridge_slave',
    onOff('hairpin', s.hairpin),
    onOff('isolated', s.isolated),
  ].join('')

const PLAIN = [
  'mac',
  'mtu',
  'txQLen',
  'up',
  'promisc',
  'allmulti',
  'alias',
  'vlanFiltering',
  'hairpin',
  'isolated',
] as const

/** The first setting of the fact that the link does not have, in one line. */
export const driftOfSettings = (
  fact: { readonly ns: Ns; readonly name: string; readonly settings: Settings },
  found: Link,
  kernel: Kernel,
): string | undefined => {
  for (const key of PLAIN) {
    const want = fact.settings[key]
    if (want !== undefined && found[key] !== want) return `interface ${fact.name} has ${key} ${found[key]}, not ${want}`
  }
  const { master } = fact.settings
  if (master === undefined) return undefined
  const bridge = getLink(kernel.route(fact.ns), master)
  return bridge?.index === found.master ? undefined : `interface ${fact.name} is not a port of ${master}`
}

/** Removes a link; absent is success. @throws NetlinkError */
export const removeLink = (ns: Ns, name: string, kernel: Kernel): void => {
  kernel.indexes.delete(`${ns}/${name}`)
  try {
    kernel.route(ns).request(`ip link del ${name}`, delLink(name))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

const missing = ({ ns, name }: LinkSettingsFact): string => `interface ${name} is missing in the ${ns}'s namespace`

const ensure = (fact: LinkSettingsFact, kernel: Kernel): boolean => {
  const settings = netlinkSettings(fact, kernel)
  try {
    kernel.route(fact.ns).request(() => render(fact), setLink(fact.name, settings))
  } catch (error) {
    if (isNotFound(error)) throw new CniError(ERR_KERNEL, missing(fact), '', { cause: error as NetlinkError })
    throw error
  }
  return false
}

const render = (fact: LinkSettingsFact): string => `ip link set ${fact.name}${renderSettings(fact.settings)}`

export const linkSettingsOperations: Operations<LinkSettingsFact> = {
  render,
  ensure,
  remove: () => undefined,
  drift: (fact, kernel) => {
    const found = getLink(kernel.route(fact.ns), fact.name)
    return found === undefined ? missing(fact) : driftOfSettings(fact, found, kernel)
  },
}
