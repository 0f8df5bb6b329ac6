/** Fact: a link exists. An own link is created and must not have been there; a shared one (a bridge) is created when it is
 *  missing and is never taken back by one attachment. */
import { CniError, ERR_CONFLICT } from '../cni/error.ts'
import { isExists, NetlinkError } from '../netlink/error.ts'
import { type Device, delLink, getLink, type Link, type LinkSettings, newLink, setLink } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import {
  driftOfSettings,
  indexOf,
  netlinkSettings,
  removeLink,
  renderSettings,
  type Settings,
} from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'
import { isTunnel, renderTunnel, type TunnelDevice, tunnelDrift, tunnelOf } from './tunnel.ts'

/** The peer of a pair cannot be born up (`veth_open` answers ENOTCONN until both ends exist). */
export type PeerSettings = Omit<Settings, 'up'>

export type LinkDevice =
  | { readonly kind: 'bridge' | 'ifb' | 'dummy' | 'wireguard' }
  | TunnelDevice
  | {
      readonly kind: 'veth'
      readonly peer: {
        readonly ns: Ns
        readonly name: string
        readonly settings: PeerSettings
        readonly birth?: PeerSettings
      }
    }

export interface LinkFact {
  readonly kind: 'link'
  readonly ns: Ns
  readonly name: string
  readonly device: LinkDevice
  readonly settings: Settings
  /** Given at birth only, and free to change afterwards. */
  readonly birth?: Settings
  /** One of many users: kept when it exists, never removed. */
  readonly shared?: true
  /** Ours by its name: one of another kind or with other attributes of its device is removed and made anew, one with other
   *  settings is given them. */
  readonly replace?: true
}

/** Settings that the kernel takes only after birth; they follow in the same datagram, so that no crash comes between. */
const LATER = ['alias', 'hairpin', 'isolated'] as const
/** Those that only a bridge port has must wait for the port; a down link keeps quiet until its addresses are in. */
const birthOf = ({ alias: _alias, hairpin: _hairpin, isolated: _isolated, ...birth }: LinkSettings): LinkSettings =>
  birth
const laterOf = (settings: LinkSettings): LinkSettings =>
  Object.fromEntries(LATER.flatMap((key) => (settings[key] === undefined ? [] : [[key, settings[key]]])))

const deviceOf = (fact: LinkFact, kernel: Kernel): Device => {
  if (isTunnel(fact.device)) return tunnelOf(fact.ns, fact.device, kernel)
  if (fact.device.kind !== 'veth') return fact.device
  const { ns, name, settings, birth } = fact.device.peer
  return {
    kind: 'veth',
    peer: { name, netns: kernel.netns(ns), ...netlinkSettings({ ns, settings: { ...birth, ...settings } }, kernel) },
  }
}

/** Two commands: `ip link add` takes what belongs to birth, `ip link set` the rest. */
const render = (fact: LinkFact): string => {
  const { mac, mtu, master, ...rest } = { ...fact.birth, ...fact.settings }
  const add = `ip link add ${fact.name}${renderSettings(optional({ mac, mtu, master }))} type ${fact.device.kind}${renderDevice(fact.device)}`
  return Object.keys(rest).length === 0 ? add : `${add}\nip link set ${fact.name}${renderSettings(rest)}`
}

const renderDevice = (device: LinkDevice): string => {
  if (isTunnel(device)) return renderTunnel(device)
  if (device.kind !== 'veth') return ''
  const { ns, name, settings, birth } = device.peer
  return ` peer name ${name}${ns === 'pod' ? ' netns pod' : ''}${renderSettings({ ...birth, ...settings })}`
}

const optional = (birth: { readonly [K in 'mac' | 'mtu' | 'master']: Settings[K] }): Settings =>
  Object.fromEntries(Object.entries(birth).filter(([, value]) => value !== undefined))

const taken = (fact: LinkFact, error: NetlinkError): CniError => {
  const names = fact.device.kind === 'veth' ? `${fact.device.peer.name} or ${fact.name}` : fact.name
  return new CniError(
    ERR_CONFLICT,
    `the interface ${names} exists already`,
    'DEL this attachment first, or choose another CNI_IFNAME',
    {
      cause: error,
    },
  )
}

const create = (fact: LinkFact, kernel: Kernel): void => {
  const settings = netlinkSettings({ ns: fact.ns, settings: { ...fact.birth, ...fact.settings } }, kernel)
  const later = laterOf(settings)
  const messages = [newLink(fact.name, deviceOf(fact, kernel), birthOf(settings))]
  if (Object.keys(later).length > 0) messages.push(setLink(fact.name, later))
  const replies = kernel.route(fact.ns).exchange(messages)
  const failed = replies.findIndex((reply) => reply.errno !== 0)
  if (failed < 0) return
  const reply = replies[failed]
  if (failed > 0) kernel.route(fact.ns).exchange([delLink(fact.name)])
  throw new NetlinkError(render(fact), reply?.errno ?? 0, reply?.extack ?? '', failed)
}

const ensureShared = (fact: LinkFact, kernel: Kernel): void => {
  const found = getLink(kernel.route(fact.ns), fact.name)
  if (found !== undefined) {
    refuseOtherKind(fact, found)
    return
  }
  try {
    create(fact, kernel)
  } catch (error) {
    if (!isExists(error)) throw error // another attachment made it a moment ago
  }
}

const refuseOtherKind = (fact: LinkFact, found: Link): void => {
  if (found.kind === fact.device.kind) return
  const is = found.kind === '' ? 'a device of another kind' : `a ${found.kind}`
  throw new CniError(
    ERR_CONFLICT,
    `the interface ${fact.name} exists and is ${is}, not a ${fact.device.kind}`,
    'name another one in the configuration, or remove it',
  )
}

/** A MAC that is set again, though the same, costs the link all its neighbours (NETDEV_CHANGEADDR): only what differs is
 *  set. */
const changeSettings = (fact: LinkFact, found: Link, kernel: Kernel): void => {
  const wanted = Object.entries(netlinkSettings(fact, kernel))
  const changed = wanted.filter(([key, want]) => want !== undefined && found[key as keyof LinkSettings] !== want)
  if (changed.length === 0) return
  const words = Object.fromEntries(changed.map(([key]) => [key, fact.settings[key as keyof Settings]]))
  kernel
    .route(fact.ns)
    .request(() => `ip link set ${fact.name}${renderSettings(words)}`, setLink(fact.name, Object.fromEntries(changed)))
}

/** Neither its addresses nor what leads over it is lost when only settings differ. */
const ensureOwn = (fact: LinkFact, kernel: Kernel): boolean => {
  const found = getLink(kernel.route(fact.ns), fact.name)
  if (found === undefined || deviceDrift(fact, found, kernel) !== undefined) {
    if (found !== undefined) removeLink(fact.ns, fact.name, kernel)
    create(fact, kernel)
    return true
  }
  changeSettings(fact, found, kernel)
  return false
}

const ensure = (fact: LinkFact, kernel: Kernel): boolean => {
  if (fact.replace) return ensureOwn(fact, kernel)
  if (fact.shared) {
    ensureShared(fact, kernel)
    return false
  }
  try {
    create(fact, kernel)
  } catch (error) {
    throw isExists(error) ? taken(fact, error as NetlinkError) : error
  }
  return true
}

const drift = (fact: LinkFact, kernel: Kernel): string | undefined => {
  const found = getLink(kernel.route(fact.ns), fact.name)
  if (found === undefined) return `interface ${fact.name} is missing`
  return deviceDrift(fact, found, kernel) ?? driftOfSettings(fact, found, kernel) ?? peerDrift(fact, kernel)
}

/** What only making it anew can mend. */
const deviceDrift = (fact: LinkFact, found: Link, kernel: Kernel): string | undefined => {
  if (found.kind !== fact.device.kind) return `interface ${fact.name} is a ${found.kind}, not a ${fact.device.kind}`
  return isTunnel(fact.device) ? tunnelDrift(fact, fact.device, found.tunnel, kernel) : undefined
}

const peerDrift = (fact: LinkFact, kernel: Kernel): string | undefined => {
  if (fact.device.kind !== 'veth') return undefined
  const { ns, name, settings } = fact.device.peer
  const peer = getLink(kernel.route(ns), name)
  if (peer === undefined) return `interface ${name} is missing in the ${ns}'s namespace`
  if (peer.kind !== 'veth' || peer.peer !== indexOf(fact.ns, fact.name, kernel))
    return `interface ${name} is not the peer of ${fact.name}`
  return driftOfSettings({ ns, name, settings }, peer, kernel)
}

export const linkOperations: Operations<LinkFact> = {
  render,
  ensure,
  remove: (fact, kernel) => {
    if (!fact.shared) removeLink(fact.ns, fact.name, kernel)
  },
  drift,
}
