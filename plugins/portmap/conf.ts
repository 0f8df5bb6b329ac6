/** The keys of `portmap`, typed. Upstream: containernetworking/plugins `plugins/meta/portmap`; CONVENTIONS.md. */
import { DecodeError, quote } from '../../addr/error.ts'
import { type Family, familyOf, type Ip, parseIp } from '../../addr/ip.ts'
import type { Call } from '../../cni/plugin.ts'

export type Backend = 'nftables' | 'iptables'
export type Protocol = 'tcp' | 'udp' | 'sctp'

export interface Mapping {
  readonly protocol: Protocol
  readonly hostPort: number
  readonly containerPort: number
  /** Absent: both. */
  readonly family?: Family
  /** Address of the node; absent: every one. */
  readonly hostIP?: Ip
}

export interface PortmapConf {
  readonly backend: Backend
  /** None: nothing is published (or, on DEL, the runtime did not say what was). */
  readonly mappings: readonly Mapping[]
  /** Masquerade what could not find its way back otherwise: from the pod itself, from its subnet, from localhost. */
  readonly snat: boolean
  /** Masquerade whatever comes to a published port. */
  readonly masqAll: boolean
  /** Of the iptables backend. */
  readonly markMasqBit: number
  readonly externalSetMarkChain?: string
  /** Fragments of a match, in the backend's own language. */
  readonly conditions: Readonly<Record<Family, readonly string[]>>
}

/** The keys as the schema `conf/schemas/portmap.json` lets them through. */
interface Keys {
  readonly backend?: Backend
  readonly snat?: boolean
  readonly masqAll?: boolean
  readonly markMasqBit?: number
  readonly externalSetMarkChain?: string
  readonly conditionsV4?: readonly string[] | null
  readonly conditionsV6?: readonly string[] | null
  readonly runtimeConfig?: { readonly portMappings?: readonly Entry[] | null } | null
}

interface Entry {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: string
  readonly hostIP?: string
}

/** Kubernetes uses bits 14 and 15, Calico 20 to 31. */
const DEFAULT_MARK_BIT = 13

/** Which backend an option belongs to: a fragment of iptables begins with an option or a negation, one of nft never does. */
const backendOf = (fragments: readonly string[] | null | undefined): Backend | undefined => {
  const first = fragments?.[0] ?? ''
  if (first === '') return undefined
  return /^[-!]/.test(first) ? 'iptables' : 'nftables'
}

/** Keys that make sense with one backend only. */
const specific = (keys: Keys): readonly (readonly [key: string, backend: Backend])[] =>
  (
    [
      ['externalSetMarkChain', keys.externalSetMarkChain === undefined ? undefined : 'iptables'],
      ['conditionsV4', backendOf(keys.conditionsV4)],
      ['conditionsV6', backendOf(keys.conditionsV6)],
    ] as const
  ).flatMap(([key, backend]) => (backend === undefined ? [] : [[key, backend] as const]))

/** The backend asked for; without a word, iptables when a key needs it, else nftables. @throws DecodeError */
const chooseBackend = (keys: Keys): Backend => {
  const demands = specific(keys)
  const backend = keys.backend ?? (demands.some(([, each]) => each === 'iptables') ? 'iptables' : 'nftables')
  const wrong = demands.find(([, each]) => each !== backend)
  if (wrong === undefined) return backend
  const [key, other] = wrong
  const value = quote((keys as Readonly<Record<string, unknown>>)[key])
  const why = keys.backend === undefined ? 'another key asks for' : '"backend" is'
  throw new DecodeError(`$.${key}`, `${value} is an option of the ${other} backend, but ${why} ${quote(backend)}`)
}

const UNSAFE = /[\p{Cc};]/u

/** @throws DecodeError for a fragment that could end the rule it stands in */
const fragmentsOf = (list: readonly string[] | null | undefined, path: string): readonly string[] =>
  (list ?? [])
    .filter((fragment) => fragment !== '')
    .map((fragment) => {
      if (!UNSAFE.test(fragment)) return fragment
      throw new DecodeError(path, `${quote(fragment)} holds ";" or a control character, which would end the rule`)
    })

/** `hostIP` as the address and family it limits the mapping to: "0.0.0.0" is every IPv4 address, "::" every IPv6 one. */
const hostOf = (hostIP: string, path: string): Pick<Mapping, 'family' | 'hostIP'> => {
  if (hostIP === '') return {}
  const address = parseIp(hostIP.replace(/^\[(.*)\]$/, '$1'), path)
  const family = familyOf(address)
  return address === '0.0.0.0' || address === '::' ? { family } : { family, hostIP: address }
}

const parseMapping = ({ protocol, hostPort, containerPort, hostIP = '' }: Entry, index: number): Mapping => ({
  protocol: protocol.toLowerCase() as Protocol,
  hostPort,
  containerPort,
  ...hostOf(hostIP, `$.runtimeConfig.portMappings[${index}].hostIP`),
})

const keyOf = ({ protocol, hostPort, family, hostIP }: Mapping): string =>
  [protocol, hostPort, hostIP ?? '', family ?? ''].join(' ')

/** Each mapping once. @throws DecodeError for a host port that leads to two ports */
const distinct = (mappings: readonly Mapping[]): readonly Mapping[] => {
  const seen = new Map<string, Mapping>()
  const kept: Mapping[] = []
  for (const [i, mapping] of mappings.entries()) {
    const other = seen.get(keyOf(mapping))
    if (other !== undefined && other.containerPort !== mapping.containerPort)
      throw new DecodeError(
        `$.runtimeConfig.portMappings[${i}]`,
        `host port ${mapping.hostPort}/${mapping.protocol} cannot lead to container port ${mapping.containerPort}: another entry leads it to ${other.containerPort}`,
      )
    if (other === undefined) kept.push(mapping)
    seen.set(keyOf(mapping), mapping)
  }
  return kept
}

/** @throws DecodeError naming the key, its value and what is allowed */
export const parsePortmapConf = (call: Call): PortmapConf => {
  const keys = call.conf as Keys
  const { markMasqBit, externalSetMarkChain } = keys
  if (markMasqBit !== undefined && externalSetMarkChain !== undefined)
    throw new DecodeError(
      '$.markMasqBit',
      `${markMasqBit} cannot stand beside externalSetMarkChain, which sets the mark`,
    )
  return {
    backend: chooseBackend(keys),
    mappings: distinct((keys.runtimeConfig?.portMappings ?? []).map(parseMapping)),
    snat: keys.snat ?? true,
    masqAll: keys.masqAll ?? false,
    markMasqBit: markMasqBit ?? DEFAULT_MARK_BIT,
    ...(externalSetMarkChain === undefined ? {} : { externalSetMarkChain }),
    conditions: {
      4: fragmentsOf(keys.conditionsV4, '$.conditionsV4'),
      6: fragmentsOf(keys.conditionsV6, '$.conditionsV6'),
    },
  }
}
