/** The keys of `host-local`, typed. Upstream: containernetworking/plugins `plugins/ipam/host-local`. */
import { addressOf, readCidr } from '../../addr/cidr.ts'
import { DecodeError, quote } from '../../addr/error.ts'
import { type Ip, readIp } from '../../addr/ip.ts'
import { parseResult } from '../../cni/decode.ts'
import type { Call, Json, Verb } from '../../cni/plugin.ts'
import type { Route } from '../../cni/result.ts'
import { isAtLeast, NEWEST, type Version } from '../../cni/version.ts'
import { type ConfiguredSet, completeSets, type RangeKeys, type RangeSet } from './range.ts'

export interface HostLocalConf {
  /** Folder that holds a folder per network. */
  readonly dataDir: string
  /** `''`: none. */
  readonly resolvConf: string
  readonly routes: readonly Route[]
  /** Each gives one address; the index names the file `last_reserved_ip.<index>`. Empty on DEL and GC, which release by
   *  owner and must work when the ranges have changed. */
  readonly sets: readonly RangeSet[]
  /** Addresses asked for, canonical, each once: all of them must be given. */
  readonly requests: readonly Ip[]
}

const DATA_DIR = '/var/lib/cni/networks'

/** The keys as the schema `conf/schemas/host-local.json` lets them through. */
interface Keys {
  readonly ipam?: RangeKeys & {
    readonly routes?: Json
    readonly dataDir?: string
    readonly resolvConf?: string
    readonly ranges?: readonly (readonly RangeKeys[])[]
  }
  readonly runtimeConfig?: {
    readonly ipRanges?: readonly (readonly RangeKeys[])[]
    readonly ips?: readonly string[]
  }
  readonly args?: { readonly cni?: { readonly ips?: readonly string[] } }
}

const listed = (sets: readonly (readonly RangeKeys[])[] = [], path: string): readonly ConfiguredSet[] =>
  sets.map((set, i) => ({
    path: `${path}[${i}]`,
    ranges: set.map((keys, j) => ({ keys, path: `${path}[${i}][${j}]` })),
  }))

/** The runtime's ranges, then the single range of the old style, then the list: upstream's order. */
const configuredSets = ({ ipam = {}, runtimeConfig = {} }: Keys): readonly ConfiguredSet[] => [
  ...listed(runtimeConfig.ipRanges, '$.runtimeConfig.ipRanges'),
  ...(ipam.subnet ? [{ path: '$.ipam', ranges: [{ keys: ipam, path: '$.ipam' }] }] : []),
  ...listed(ipam.ranges, '$.ipam.ranges'),
]

/** A result before 0.3.0 holds one address of each family. */
const refuseUnstatable = (sets: readonly RangeSet[], version: string): void => {
  const families = sets.map((set) => set[0]?.family)
  if (isAtLeast(version as Version, '0.3.0') || new Set(families).size === families.length) return
  throw new DecodeError(
    '$.cniVersion',
    `${quote(version)} has no place for more than one address of a family, and there are ${families.length} range sets`,
  )
}

const parseSets = (keys: Keys, version: string): readonly RangeSet[] => {
  const configured = configuredSets(keys)
  if (configured.length === 0)
    throw new DecodeError('$.ipam.ranges', 'no ranges: at least one range set, such as [[{"subnet": "10.1.0.0/16"}]]')
  const sets = completeSets(configured)
  refuseUnstatable(sets, version)
  return sets
}

/** An address, or one with a prefix length, which is not used. */
const parseRequest = (text: string, path: string): Ip => {
  const cidr = readCidr(text)
  const address = cidr === undefined ? readIp(text) : addressOf(cidr)
  if (address === undefined) throw new DecodeError(path, `${quote(text)} is not an IPv4 or IPv6 address`)
  return address
}

const parseRequests = ({ args, runtimeConfig }: Keys, fromEnv: string | undefined): readonly Ip[] => {
  const all = [
    ...(fromEnv ? [parseRequest(fromEnv, 'CNI_ARGS IP')] : []),
    ...(args?.cni?.ips ?? []).map((text, i) => parseRequest(text, `$.args.cni.ips[${i}]`)),
    ...(runtimeConfig?.ips ?? []).map((text, i) => parseRequest(text, `$.runtimeConfig.ips[${i}]`)),
  ]
  return [...new Set(all)]
}

const parsePath = (text: string, path: string): string => {
  if (text.includes('\0')) throw new DecodeError(path, `${quote(text)} contains NUL, which no path does`)
  return text
}

const RELEASING: readonly Verb[] = ['DEL', 'GC']

/** @throws DecodeError */
export const parseHostLocalConf = (call: Call): HostLocalConf => {
  const keys = call.conf as Keys
  const dataDir = parsePath(keys.ipam?.dataDir || DATA_DIR, '$.ipam.dataDir')
  if (RELEASING.includes(call.verb)) return { dataDir, resolvConf: '', routes: [], sets: [], requests: [] }
  return {
    dataDir,
    resolvConf: parsePath(keys.ipam?.resolvConf ?? '', '$.ipam.resolvConf'),
    routes: parseResult({ routes: keys.ipam?.routes ?? [] }, NEWEST, '$.ipam').routes ?? [],
    sets: parseSets(keys, call.conf.cniVersion),
    requests: parseRequests(keys, call.args['IP']),
  }
}
