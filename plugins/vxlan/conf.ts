/** The keys of `vxlan`, typed. Of the overlay they are `podwire agent`'s options, which are flannel's. */
import { DecodeError, quote } from '../../addr/error.ts'
import { type Family, familyOf, type Ip, parseIp } from '../../addr/ip.ts'
import type { Call, JsonObject } from '../../cni/plugin.ts'
import { type DelegationKeys, requireDelegate } from '../../overlay/delegate-conf.ts'
import type { MasqueradeOptions } from '../../overlay/masquerade.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import { parsePattern } from '../../overlay/pattern.ts'
import type { UnderlayOptions } from '../../overlay/underlay.ts'

/** A network configuration and the text it came as. */
export interface GivenNetConf {
  readonly text: string
  readonly conf: NetConf
}

export type StoreConf =
  | { readonly type: 'file'; readonly dir: string }
  /** `options`: keys of the store, as given. */
  | { readonly type: 'etcd' | 'kubernetes'; readonly options: JsonObject }

export interface VxlanConf {
  readonly store: StoreConf
  /** Undefined: the store has it. */
  readonly netConf: GivenNetConf | undefined
  readonly ways: Omit<UnderlayOptions, 'conf'>
  readonly masquerade: MasqueradeOptions
  /** Folder of what the delegate was given. */
  readonly dataDir: string
}

/** The keys as the schema `conf/schemas/vxlan.json` lets them through. */
interface Keys extends DelegationKeys {
  readonly netConf?: JsonObject
  readonly store?: { readonly type?: StoreConf['type']; readonly dir?: string }
  readonly iface?: readonly string[]
  readonly ifaceRegex?: readonly string[]
  readonly ifaceCanReach?: string
  readonly publicIP?: string
  readonly publicIPv6?: string
  readonly ipMasq?: boolean
  readonly masqueradeBackend?: MasqueradeOptions['backend']
  readonly iptablesForwardRules?: boolean
  readonly dataDir?: string
}

const STORE_DIR = '/var/lib/podwire/overlay'
const DATA_DIR = '/var/lib/cni/vxlan'

/** Refuses what this plugin does not set up. @throws DecodeError at `path` */
export const requireVxlan = ({ backend }: NetConf, path: string): void => {
  if (backend.kind === 'vxlan') return
  const todo = 'for any other backend run podwire agent, with the plugin flannel'
  throw new DecodeError(`${path}.Backend.Type`, `${quote(backend.kind)} is not "vxlan": ${todo}`)
}

/** @throws DecodeError below `$.netConf` */
const parseGiven = (netConf: JsonObject): GivenNetConf => {
  const text = JSON.stringify(netConf)
  try {
    const conf = parseNetConf(text)
    requireVxlan(conf, '$')
    return { text, conf }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DecodeError(`$.netConf${error.path.slice(1)}`, error.problem, { cause: error })
  }
}

/** '' is none. @throws DecodeError for what is no address, or one of another family */
const addressOf = <K extends string>(key: K, text = '', family?: Family): { readonly [P in K]?: Ip } => {
  if (text === '') return {}
  const ip = parseIp(text, `$.${key}`)
  if (family !== undefined && familyOf(ip) !== family)
    throw new DecodeError(`$.${key}`, `${quote(text)} is not an IPv${family} address`)
  return { [key]: ip } as { readonly [P in K]?: Ip }
}

const waysOf = ({ iface = [], ifaceRegex = [], ...keys }: Keys): VxlanConf['ways'] => {
  ifaceRegex.forEach((text, i) => void parsePattern(text, `$.ifaceRegex[${i}]`))
  return {
    ifaces: iface,
    ifaceRegexes: ifaceRegex,
    ...addressOf('ifaceCanReach', keys.ifaceCanReach),
    ...addressOf('publicIP', keys.publicIP, 4),
    ...addressOf('publicIPv6', keys.publicIPv6, 6),
  }
}

const storeOf = ({ type = 'file', dir, ...options }: NonNullable<Keys['store']> = {}): StoreConf =>
  type === 'file' ? { type, dir: dir || STORE_DIR } : { type, options }

/** @throws DecodeError */
export const parseVxlanConf = (call: Call): VxlanConf => {
  const keys = call.conf as Keys
  requireDelegate(keys, call.conf.type)
  return {
    store: storeOf(keys.store),
    netConf: keys.netConf === undefined ? undefined : parseGiven(keys.netConf),
    ways: waysOf(keys),
    masquerade: {
      backend: keys.masqueradeBackend ?? 'nftables',
      ipMasq: keys.ipMasq ?? true,
      randomFully: true,
      forwardRules: keys.iptablesForwardRules ?? true,
    },
    dataDir: keys.dataDir || DATA_DIR,
  }
}
