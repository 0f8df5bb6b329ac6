/** This node as it is before it has a lease: the underlay as the kernel shows it now, keys, MACs that its peers know. */
import { DecodeError } from '../addr/error.ts'
import { type Ip, readIp } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { getLink } from '../netlink/link.ts'
import type { Claim } from '../overlay/claim.ts'
import { vxlanDevice } from '../overlay/devices.ts'
import type { BackendData, Lease } from '../overlay/lease.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import type { Site } from '../overlay/planner.ts'
import { plannerOf } from '../overlay/planners.ts'
import { chooseUnderlay, type UnderlayChoice, type UnderlayOptions } from '../overlay/underlay.ts'
import { observeUnderlay } from '../overlay/underlay-observe.ts'
import { isLinkLocal } from '../overlay/usable.ts'
import type { Options } from './options.ts'
import { type WireguardKey, wireguardKey } from './wireguard-key.ts'

/** An option that is an address: '' is none. */
const addressOf = <K extends string>(key: K, text: string): { readonly [P in K]?: Ip } => {
  const ip = readIp(text)
  return ip === undefined ? {} : ({ [key]: ip } as { readonly [P in K]?: Ip })
}

const underlayOptions = (conf: NetConf, options: Options): UnderlayOptions => ({
  conf,
  ifaces: options.iface,
  ifaceRegexes: options.ifaceRegex,
  ...addressOf('ifaceCanReach', options.ifaceCanReach),
  ...addressOf('publicIP', options.publicIp),
  ...addressOf('publicIPv6', options.publicIpv6),
})

const deviceMac = (name: string, kernel: Kernel): Mac | undefined => {
  const link = getLink(kernel.route('node'), name)
  return link?.kind === 'vxlan' ? link.mac : undefined
}

const macsOf = (vtepMac: Mac | undefined, vtepMacV6: Mac | undefined): Pick<Site, 'vtepMac' | 'vtepMacV6'> => ({
  ...(vtepMac === undefined ? {} : { vtepMac }),
  ...(vtepMacV6 === undefined ? {} : { vtepMacV6 }),
})

/** The MACs of this node's VTEPs: as the last lease published them, or, where flanneld ran before, as its devices have them:
 *  peers keep what they know. Neither: derived anew. */
const vtepMacs = (
  conf: NetConf,
  before: Site | undefined,
  last: Lease | undefined,
  kernel: Kernel,
): Pick<Site, 'vtepMac' | 'vtepMacV6'> => {
  if (conf.backend.kind !== 'vxlan') return {}
  const { vni } = conf.backend
  const published = (data: BackendData | undefined): Mac | undefined => (data?.vni === vni ? data.vtepMac : undefined)
  const known = before?.conf === conf ? before : undefined
  if (known !== undefined) return macsOf(known.vtepMac, known.vtepMacV6)
  const vtepMac = published(last?.data) ?? deviceMac(vxlanDevice(vni, 4), kernel)
  const vtepMacV6 = published(last?.v6Data) ?? deviceMac(vxlanDevice(vni, 6), kernel)
  return macsOf(vtepMac, vtepMacV6)
}

const keysOf = (conf: NetConf, path: string): Partial<WireguardKey> =>
  conf.backend.kind === 'wireguard' ? wireguardKey(path) : {}

/** The way back to what was chosen before: an underlay is not left while its address is there, nor its interface while it has
 *  one, whatever becomes of default routes. A link-local address, which stood in for one that was away, is left for that. */
const sameAgain = (wanted: UnderlayOptions, { underlay }: Site): UnderlayOptions => {
  const { ifaceCanReach: _, ...rest } = wanted
  const endpoint = underlay.ipv4 ?? underlay.ipv6
  const kept = endpoint === undefined || isLinkLocal(endpoint) ? [] : [endpoint]
  return { ...rest, ifaces: [...kept, underlay.name], ifaceRegexes: [] }
}

const chooseAgain = (wanted: UnderlayOptions, before: Site | undefined, kernel: Kernel): UnderlayChoice => {
  if (before !== undefined)
    try {
      const same = sameAgain(wanted, before)
      return chooseUnderlay(same, observeUnderlay(same, kernel))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  return chooseUnderlay(wanted, observeUnderlay(wanted, kernel))
}

export interface SiteRequest {
  readonly conf: NetConf
  readonly options: Options
  /** They precede those of the options. */
  readonly publicAddresses: Pick<Claim, 'publicIP' | 'publicIPv6'>
  /** What was observed last; undefined: nothing yet. */
  readonly before: Site | undefined
  /** The lease this node has or had. */
  readonly last: Lease | undefined
}

/** @throws DecodeError when no interface fits, naming the option, or when it contradicts the network configuration; Error
 *  when the key file cannot be used */
export const observeSite = (
  request: SiteRequest,
  kernel: Kernel,
): { readonly site: Site; readonly warning?: string } => {
  const { conf, options, publicAddresses, before, last } = request
  const wanted = { ...underlayOptions(conf, options), ...publicAddresses }
  const choice = chooseAgain(wanted, before, kernel)
  const { warning, ...keys } = keysOf(conf, options.wireguardKeyFile)
  const site = { conf, ...choice, ...vtepMacs(conf, before, last, kernel), ...keys }
  return { site, ...(warning === undefined ? {} : { warning }) }
}

/** What this node asks for a lease with. */
export const claimOf = (site: Site, previous: Claim['previous']): Claim => {
  const { publicIP, publicIPv6, conf } = site
  return {
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined ? {} : { publicIPv6 }),
    backendType: conf.backend.kind,
    ...plannerOf(conf.backend).publish(site),
    previous,
  }
}
