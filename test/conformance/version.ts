/** Versions of the specification, and the shape of a result in each, written down from SPEC.md and its older releases and
 *  not taken from `cni/`: the harness judges that code. */

export const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
export type Version = (typeof VERSIONS)[number]

export const isAtLeast = (version: Version, other: Version): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(other)

export type Json = Record<string, unknown>

/** What a result says in every version: what `resultIn` is made from and `readResult` returns. */
export interface Facts {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[]
  readonly ips: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[]
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[]
  readonly dns?: Json
}

const familyOf = (address: string): '4' | '6' => (address.includes(':') ? '6' : '4')

const oldFamily = (facts: Facts, family: '4' | '6'): Json => {
  const ip = facts.ips.find(({ address }) => familyOf(address) === family)
  if (ip === undefined) return {}
  const routes = facts.routes.filter(({ dst }) => familyOf(dst) === family)
  return { [`ip${family}`]: { ip: ip.address, gateway: ip.gateway, routes } }
}

/** `facts` as a result of `version`. */
export const resultIn = (version: Version, facts: Facts): Json => {
  const dns = facts.dns === undefined ? {} : { dns: facts.dns }
  if (!isAtLeast(version, '0.3.0'))
    return { cniVersion: version, ...oldFamily(facts, '4'), ...oldFamily(facts, '6'), ...dns }
  const isOld = !isAtLeast(version, '1.0.0')
  const ips = facts.ips.map((ip) => (isOld ? { version: familyOf(ip.address), ...ip } : ip))
  return { cniVersion: version, interfaces: facts.interfaces, ips, routes: facts.routes, ...dns }
}

const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value : [])

const readOld = (result: Json): Facts => {
  const sections = [result['ip4'], result['ip6']].filter((x): x is Json => typeof x === 'object' && x !== null)
  return {
    interfaces: [],
    ips: sections.map(({ ip, gateway }) => ({ address: String(ip), ...(gateway ? { gateway: String(gateway) } : {}) })),
    routes: sections.flatMap(({ routes }) => list(routes)) as unknown as Facts['routes'],
  }
}

/** What the JSON of a result says. Keys that are missing count as empty. */
export const readResult = (result: unknown): Facts => {
  const json = (typeof result === 'object' && result !== null ? result : {}) as Json
  if (json['ip4'] !== undefined || json['ip6'] !== undefined) return readOld(json)
  const facts = { interfaces: list(json['interfaces']), ips: list(json['ips']), routes: list(json['routes']) }
  return facts as unknown as Facts
}
