/** What makes two facts the same one: of two with one identity only one can hold. */
import type { Fact } from './plan.ts'

type Table = { readonly [K in Fact['kind']]: (fact: Extract<Fact, { kind: K }>) => string }

const MAIN = 254

/** Without the kind, which `identityOf` puts in front. */
const IDENTITIES: Table = {
  link: ({ ns, name }) => `${ns} ${name}`,
  'link-settings': ({ ns, name, settings }) => `${ns} ${name} ${Object.keys(settings).toSorted().join()}`,
  addr: ({ ns, dev, address }) => `${ns} ${dev} ${address}`,
  route: ({ ns, dst, table = MAIN, priority = 0 }) => `${ns} ${dst} ${table} ${priority}`,
  blackhole: ({ ns, dst, priority }) => `${ns} ${dst} ${priority}`,
  neigh: ({ ns, dev, table, ip, lladdr }) => `${ns} ${dev} ${table} ${table === 'fdb' ? lladdr : ip}`,
  'bridge-vlan': ({ ns, dev }) => `${ns} ${dev}`,
  sysctl: ({ ns, path }) => `${ns} ${path}`,
  settle: ({ ns, dev, until }) => `${ns} ${dev} ${until}`,
  qdisc: ({ ns, dev, discipline }) => `${ns} ${dev} ${discipline.kind === 'ingress'}`,
  filter: ({ ns, dev }) => `${ns} ${dev}`,
  iptables: ({ ns, family, table, owner }) => `${ns} ${family} ${table} ${JSON.stringify(owner)}`,
  'firewalld-source': ({ source }) => source,
  nft: ({ ns, table }) => `${ns} ${table.family} ${table.name}`,
  'nft-table': ({ ns, table }) => `${ns} ${table.family} ${table.name}`,
  offload: ({ ns, dev, feature }) => `${ns} ${dev} ${feature}`,
  wireguard: ({ ns, dev }) => `${ns} ${dev}`,
  'wireguard-peer': ({ ns, dev, publicKey }) => `${ns} ${dev} ${publicKey}`,
}

export const identityOf = (fact: Fact): string =>
  `${fact.kind} ${(IDENTITIES[fact.kind] as (fact: Fact) => string)(fact)}`

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** Whether two values that hold nothing but data are equal. A key that is undefined is as one that is not there. */
export const isSame = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false
  for (const key of Object.keys(a)) if (!isSame(a[key], b[key])) return false
  for (const key of Object.keys(b)) if (a[key] === undefined && b[key] !== undefined) return false
  return true
}
