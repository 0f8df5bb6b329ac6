/** The agent's options as they are in force, and where each value came from. A flag goes before `PODWIRE_*`, that before
 *  `FLANNELD_*`, that before the file. */
import { DecodeError, quote } from '../addr/error.ts'
import { type Family, familyOf, readIp } from '../addr/ip.ts'
import type { JsonObject } from '../cni/plugin.ts'
import { requireSchema } from '../cni/schema.ts'
import { schema } from '../conf/generated/agent.js'
import { parsePattern } from '../overlay/pattern.ts'
import type { OptionLayer } from './option-sources.ts'
import { OPTION_TABLE, type OptionSpec, type OptionValue, propertyOf } from './option-table.ts'

export interface Options {
  readonly store: 'file' | 'etcd' | 'kubernetes'
  readonly storeDir: string
  readonly stateDir: string
  readonly runDir: string
  readonly subnetFile: string
  readonly iface: readonly string[]
  readonly ifaceRegex: readonly string[]
  /** '' for none, as with every address here. */
  readonly ifaceCanReach: string
  readonly publicIp: string
  readonly publicIpv6: string
  readonly ipMasq: boolean
  readonly ipMasqFullyRandomDisable: boolean
  readonly masqueradeBackend: 'nftables' | 'iptables'
  readonly iptablesForwardRules: boolean
  readonly ipBlackholeRoute: boolean
  readonly wireguardKeyFile: string
  /** Minutes. */
  readonly subnetLeaseRenewMargin: number
  /** Seconds. */
  readonly resync: number
  /** Already taken into `resync`. */
  readonly iptablesResync: number
  /** Seconds; 0: no probes. */
  readonly probeInterval: number
  readonly healthzIp: string
  /** 0: not served. */
  readonly healthzPort: number
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error'
  readonly logFormat: 'json' | 'text'
  readonly etcdEndpoints: string
  readonly etcdPrefix: string
  readonly etcdKeyfile: string
  readonly etcdCertfile: string
  readonly etcdCafile: string
  readonly etcdUsername: string
  readonly etcdPassword: string
  /** Already taken into `store`. */
  readonly kubeSubnetMgr: boolean
  readonly kubeApiUrl: string
  readonly kubeAnnotationPrefix: string
  readonly kubeconfigFile: string
  readonly kubeNodeName: string
  readonly netConfigPath: string
  readonly setNodeNetworkUnavailable: boolean
}

export interface Setting {
  readonly spec: OptionSpec
  readonly value: OptionValue
  /** `--iface`, `PODWIRE_IFACE`, `iface in /etc/podwire/agent.json`, `default`. */
  readonly source: string
  /** Of the source; the lower goes before. */
  readonly rank: number
}

/** @throws DecodeError naming source and key */
const requireAllowed = (key: string, value: unknown, source: string): OptionValue => {
  try {
    requireSchema(schema, { [key]: value } as JsonObject)
  } catch (error) {
    throw error instanceof DecodeError ? new DecodeError(source, error.problem) : error
  }
  return value as OptionValue
}

const settingOf = (spec: OptionSpec, layers: readonly OptionLayer[]): Setting => {
  const rank = layers.findIndex(({ values }) => Object.hasOwn(values, spec.key))
  const layer = layers[rank]
  if (layer === undefined) return { spec, value: spec.default, source: 'default', rank: layers.length }
  const source = layer.nameOf(spec.key)
  return { spec, value: requireAllowed(spec.key, layer.values[spec.key], source), source, rank }
}

/** Options that are addresses, and the family they must have. */
const ADDRESSES: Readonly<Record<string, Family | undefined>> = {
  'public-ip': 4,
  'public-ipv6': 6,
  'iface-can-reach': undefined,
  'healthz-ip': undefined,
}

const requireAddress = ({ spec, value, source }: Setting): void => {
  if (!Object.hasOwn(ADDRESSES, spec.key) || value === '') return
  const [family, ip] = [ADDRESSES[spec.key], readIp(String(value))]
  if (ip !== undefined && (family === undefined || familyOf(ip) === family)) return
  throw new DecodeError(source, `${quote(value)} is not an ${family === undefined ? 'IP' : `IPv${family}`} address`)
}

const requirePatterns = ({ spec, value, source }: Setting): void => {
  if (spec.key !== 'iface-regex' || !Array.isArray(value)) return
  for (const pattern of value as readonly string[]) parsePattern(pattern, source)
}

type ByKey = ReadonlyMap<string, Setting>

/** `--kube-subnet-mgr` is `--store kubernetes`, unless `--store` is given at least as near. @throws DecodeError */
const withStore = (settings: ByKey): readonly Setting[] => {
  const [store, flannel] = [settings.get('store'), settings.get('kube-subnet-mgr')]
  if (store === undefined || flannel?.value !== true || store.rank < flannel.rank || store.value === 'kubernetes')
    return []
  if (store.rank === flannel.rank)
    throw new DecodeError(
      flannel.source,
      `it says ${quote('kubernetes')}, but ${store.source} is ${quote(store.value)}`,
    )
  return [{ ...flannel, spec: store.spec, value: 'kubernetes' }]
}

const withResync = (settings: ByKey): readonly Setting[] => {
  const [resync, flannel] = [settings.get('resync'), settings.get('iptables-resync')]
  if (resync === undefined || flannel === undefined || flannel.value === 0 || resync.source !== 'default') return []
  return [{ ...flannel, spec: resync.spec }]
}

/** Every option with its value, in the order of the table. `layers`: the first goes before.
 *  @throws DecodeError that names source, value and what is allowed */
export const settingsOf = (layers: readonly OptionLayer[]): readonly Setting[] => {
  const settings = new Map(OPTION_TABLE.map((spec) => [spec.key, settingOf(spec, layers)]))
  for (const setting of [...withStore(settings), ...withResync(settings)]) settings.set(setting.spec.key, setting)
  for (const setting of settings.values()) {
    requireAddress(setting)
    requirePatterns(setting)
  }
  return [...settings.values()]
}

export const optionsOf = (settings: readonly Setting[]): Options =>
  Object.fromEntries(settings.map(({ spec, value }) => [propertyOf(spec.key), value])) as unknown as Options
