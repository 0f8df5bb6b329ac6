/** The keys of `static`, typed. Upstream: containernetworking/plugins `plugins/ipam/static`. */
import { addressOf, type Cidr, cidrFamily, contains, parseCidr } from '../../addr/cidr.ts'
import { DecodeError, quote } from '../../addr/error.ts'
import { familyOf, type Ip, parseIp } from '../../addr/ip.ts'
import { parseResult } from '../../cni/decode.ts'
import type { Call, Json, Verb } from '../../cni/plugin.ts'
import type { Dns, IpConfig, Route } from '../../cni/result.ts'
import { isAtLeast, NEWEST, type Version } from '../../cni/version.ts'

export interface StaticConf {
  readonly addresses: readonly IpConfig[]
  readonly routes: readonly Route[]
  readonly dns: Dns | undefined
}

/** The keys as the schema `conf/schemas/static.json` lets them through. */
interface Keys {
  readonly ipam?: {
    readonly addresses?: readonly { readonly address: string; readonly gateway?: string }[]
    readonly routes?: Json
    readonly dns?: Json
  }
  readonly runtimeConfig?: { readonly ips?: readonly string[] }
  readonly args?: { readonly cni?: { readonly ips?: readonly string[] } }
}

const parseGateway = (text: string, address: Cidr, path: string): Ip => {
  const gateway = parseIp(text, path)
  if (familyOf(gateway) === cidrFamily(address)) return gateway
  throw new DecodeError(path, `${quote(text)} is not of the family of ${address}`)
}

const parseConfigured = ({ ipam }: Keys): readonly IpConfig[] =>
  (ipam?.addresses ?? []).map(({ address: text, gateway }, i) => {
    const path = `$.ipam.addresses[${i}]`
    const address = parseCidr(text, `${path}.address`)
    return gateway ? { address, gateway: parseGateway(gateway, address, `${path}.gateway`) } : { address }
  })

/** The entries of a comma list, without white space around them; none of '' or undefined. */
const entriesOf = (list: string | undefined): readonly string[] =>
  list ? list.split(',').map((entry) => entry.trim()) : []

/** CNI_ARGS: each gateway belongs to the addresses of IP whose subnet it is in. */
const parseFromArgs = ({ IP, GATEWAY }: Call['args']): readonly IpConfig[] => {
  const gateways = entriesOf(GATEWAY).map((text) => parseIp(text, 'CNI_ARGS GATEWAY'))
  return entriesOf(IP).map((text) => {
    const address = parseCidr(text, 'CNI_ARGS IP')
    const gateway = gateways.findLast((each) => contains(address, each))
    return gateway === undefined ? { address } : { address, gateway }
  })
}

const parsePlain = (texts: readonly string[], path: string): readonly IpConfig[] =>
  texts.map((text, i) => ({ address: parseCidr(text, `${path}[${i}]`) }))

/** Upstream's precedence: runtimeConfig.ips alone; else args.cni.ips alone; else the configured ones and those of
 *  CNI_ARGS. All are checked. */
const parseAddresses = (keys: Keys, args: Call['args']): readonly IpConfig[] => {
  const own = [...parseConfigured(keys), ...parseFromArgs(args)]
  const fromArgs = parsePlain(keys.args?.cni?.ips ?? [], '$.args.cni.ips')
  const fromRuntime = parsePlain(keys.runtimeConfig?.ips ?? [], '$.runtimeConfig.ips')
  return [fromRuntime, fromArgs].find((list) => list.length > 0) ?? own
}

/** A result before 0.3.0 holds one address of each family. */
const refuseUnstatable = (addresses: readonly IpConfig[], version: string): void => {
  const families = addresses.map(({ address }) => familyOf(addressOf(address)))
  if (isAtLeast(version as Version, '0.3.0') || new Set(families).size === families.length) return
  throw new DecodeError(
    '$.cniVersion',
    `${quote(version)} has no place for more than one address of a family, and there are ${families.length} addresses`,
  )
}

/** Verbs that need nothing of the configuration, and must work when it is wrong. */
const IDLE: readonly Verb[] = ['DEL', 'GC']

/** @throws DecodeError */
export const parseStaticConf = (call: Call): StaticConf => {
  if (IDLE.includes(call.verb)) return { addresses: [], routes: [], dns: undefined }
  const keys = call.conf as Keys
  const addresses = parseAddresses(keys, call.args)
  refuseUnstatable(addresses, call.conf.cniVersion)
  const { routes = [], dns = {} } = keys.ipam ?? {}
  const parsed = parseResult({ routes, dns }, NEWEST, '$.ipam')
  return { addresses, routes: parsed.routes ?? [], dns: parsed.dns }
}
