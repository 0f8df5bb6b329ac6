/** `subnet.env`, by which the plugin `flannel` learns of this node's lease. Written byte for byte as flanneld does (flannel
 *  pkg/subnet `WriteSubnetFile`), read as flannel's plugin does (flannel-io/cni-plugin flannel.go `loadFlannelSubnetEnv`). */
import { addressOf, type Cidr, cidrFamily, cidrOf, lengthOf, networkOf, readCidr } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { type Family, ipNumber, ipOfNumber } from '../addr/ip.ts'
import type { Lease } from './lease.ts'
import type { NetConf } from './net-conf.ts'

/** At least one family is there, its subnet and its networks. */
export interface SubnetEnv {
  /** `FLANNEL_NETWORK`: one, or several separated by commas. */
  readonly networks: readonly Cidr[]
  /** `FLANNEL_SUBNET`, its host bits cleared. */
  readonly subnet?: Cidr
  readonly ipv6Networks: readonly Cidr[]
  readonly ipv6Subnet?: Cidr
  /** Of pods, bytes. */
  readonly mtu: number
  /** Whether the node layer masquerades, so that the plugin of the pods does not. */
  readonly ipMasq: boolean
}

/** What the file says of a node with the lease `own`. */
export const subnetEnvOf = (conf: NetConf, own: Lease, mtu: number, ipMasq: boolean): SubnetEnv => ({
  networks: conf.ipv4 === undefined ? [] : [conf.ipv4.network],
  ...(own.subnet === undefined ? {} : { subnet: own.subnet }),
  ipv6Networks: conf.ipv6 === undefined ? [] : [conf.ipv6.network],
  ...(own.ipv6Subnet === undefined ? {} : { ipv6Subnet: own.ipv6Subnet }),
  mtu,
  ipMasq,
})

/** The first address that can be used, with the subnet's length. */
const firstUsable = (subnet: Cidr): Cidr =>
  cidrOf(ipOfNumber(ipNumber(addressOf(subnet)) + 1n, cidrFamily(subnet)), lengthOf(subnet))

const familyLines = (prefix: string, networks: readonly Cidr[], subnet: Cidr | undefined): string[] =>
  subnet === undefined ? [] : [`${prefix}_NETWORK=${networks.join(',')}`, `${prefix}_SUBNET=${firstUsable(subnet)}`]

export const renderSubnetEnv = (env: SubnetEnv): string =>
  [
    ...familyLines('FLANNEL', env.networks, env.subnet),
    ...familyLines('FLANNEL_IPV6', env.ipv6Networks, env.ipv6Subnet),
    `FLANNEL_MTU=${env.mtu}`,
    `FLANNEL_IPMASQ=${env.ipMasq}`,
    '',
  ].join('\n')

/** By key; of equal keys the last. */
type Variables = Readonly<Record<string, string | undefined>>

/** Plain loops: this is in the path of each ADD, where a regular expression and the iterator of a Map cost 30 to 150 us each
 *  at their first use. */
const variablesOf = (text: string): Variables => {
  const variables: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    if (at > 0) variables[line.slice(0, at)] = line.slice(at + 1).trimEnd()
  }
  return variables
}

const parsePrefix = (text: string, family: Family, key: string): Cidr => {
  const prefix = readCidr(text)
  if (prefix !== undefined && cidrFamily(prefix) === family) return networkOf(prefix)
  throw new DecodeError(key, `${quote(text)} is not an IPv${family} address with a prefix length`)
}

const parseMtu = (text: string): number => {
  const mtu = Number(text)
  if (Number.isInteger(mtu) && mtu >= 0 && mtu < 1e9 && String(mtu) === text) return mtu
  throw new DecodeError('FLANNEL_MTU', `${quote(text)} is not a number of bytes`)
}

const parseMasq = (text: string): boolean => {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new DecodeError('FLANNEL_IPMASQ', `${quote(text)} is not true or false`)
}

const FAMILIES = [
  { family: 4, network: 'FLANNEL_NETWORK', subnet: 'FLANNEL_SUBNET' },
  { family: 6, network: 'FLANNEL_IPV6_NETWORK', subnet: 'FLANNEL_IPV6_SUBNET' },
] as const

const missingOf = (variables: Variables): string[] => {
  const lacks = (...keys: readonly string[]): readonly string[] =>
    keys.some((key) => variables[key] !== undefined) ? [] : keys
  return [
    ...lacks(...FAMILIES.map(({ network }) => network)),
    ...lacks(...FAMILIES.map(({ subnet }) => subnet)),
    ...lacks('FLANNEL_MTU'),
    ...lacks('FLANNEL_IPMASQ'),
  ]
}

/** Each once. */
const once = (networks: readonly Cidr[]): readonly Cidr[] =>
  networks.filter((network, i) => networks.indexOf(network) === i)

/** What `text` says; keys it does not know are nothing to it. @throws DecodeError with the key, or the keys that it lacks */
export const parseSubnetEnv = (text: string): SubnetEnv => {
  const variables = variablesOf(text)
  const missing = missingOf(variables)
  if (missing.length > 0) throw new DecodeError('subnet.env', `lacks ${missing.join(', ')}`)
  const networksOf = ({ family, network }: (typeof FAMILIES)[number]): Cidr[] =>
    variables[network]?.split(',').map((each) => parsePrefix(each, family, network)) ?? []
  const subnetOf = ({ family, subnet }: (typeof FAMILIES)[number]): Cidr | undefined => {
    const value = variables[subnet]
    return value === undefined ? undefined : parsePrefix(value, family, subnet)
  }
  const [subnet, ipv6Subnet] = FAMILIES.map(subnetOf)
  const [networks = [], ipv6Networks = []] = FAMILIES.map(networksOf)
  return {
    networks: once(networks),
    ...(subnet === undefined ? {} : { subnet }),
    ipv6Networks: once(ipv6Networks),
    ...(ipv6Subnet === undefined ? {} : { ipv6Subnet }),
    mtu: parseMtu(variables['FLANNEL_MTU'] ?? ''),
    ipMasq: parseMasq(variables['FLANNEL_IPMASQ'] ?? ''),
  }
}
