/** JSON to the newest Result, strictly: a result comes from another program. Missing, `null` and empty mean "not stated",
 *  as in Go. SPEC.md §5 of every version. */
import { type Cidr, parseCidr } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { type Ip, parseIp } from '../addr/ip.ts'
import { fold, type Shape } from './fold.ts'
import type { Json, JsonObject } from './plugin.ts'
import type { Dns, Interface, IpConfig, Result, Route } from './result.ts'
import { isAtLeast, isVersion, VERSIONS, type Version } from './version.ts'

/** Spelled out, not computed: computing it costs each exec 0.15 ms (measured). */
const ROUTE: Shape = {
  keys: {
    dst: ['dst'],
    gw: ['gw'],
    mtu: ['mtu'],
    advmss: ['advmss'],
    priority: ['priority'],
    table: ['table'],
    scope: ['scope'],
  },
}
const INTERFACE: Shape = {
  keys: {
    name: ['name'],
    mac: ['mac'],
    mtu: ['mtu'],
    sandbox: ['sandbox'],
    socketpath: ['socketPath'],
    pciid: ['pciID'],
  },
}
const IP: Shape = {
  keys: { version: ['version'], address: ['address'], gateway: ['gateway'], interface: ['interface'] },
}
const DNS: Shape = {
  keys: { nameservers: ['nameservers'], domain: ['domain'], search: ['search'], options: ['options'] },
}
const OLD_IP: Shape = { keys: { ip: ['ip'], gateway: ['gateway'], routes: ['routes', { items: ROUTE }] } }
const SHAPE: Shape = {
  keys: {
    cniversion: ['cniVersion'],
    interfaces: ['interfaces', { items: INTERFACE }],
    ips: ['ips', { items: IP }],
    routes: ['routes', { items: ROUTE }],
    dns: ['dns', DNS],
    ip4: ['ip4', OLD_IP],
    ip6: ['ip6', OLD_IP],
  },
}

const wrong = (path: string, value: unknown, allowed: string): never => {
  throw new DecodeError(path, `${quote(value)} is not ${allowed}`)
}

/** The members of an object with a value, or undefined: a reader of one key each. */
interface Reader {
  readonly path: string
  readonly text: (key: string) => string | undefined
  readonly number: (key: string) => number | undefined
  readonly list: <T>(key: string, read: (item: Json, path: string) => T) => readonly T[] | undefined
  readonly inner: (key: string) => Reader | undefined
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const readText = (value: Json, path: string): string =>
  typeof value === 'string' ? value : wrong(path, value, 'a string')

const readNumber = (value: Json, path: string): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0
    ? value
    : wrong(path, value, 'a whole number from 0')

const readerOf = (value: Json, path: string): Reader => {
  const object = isObject(value) ? value : wrong(path, value, 'an object')
  const at = <T>(key: string, read: (value: Json, path: string) => T): T | undefined => {
    const member = Object.hasOwn(object, key) ? object[key] : undefined
    return member === undefined || member === null ? undefined : read(member, `${path}.${key}`)
  }
  return {
    path,
    text: (key) => at(key, readText) || undefined,
    number: (key) => at(key, readNumber),
    list: (key, read) => at(key, (member, where) => readList(member, where, read)),
    inner: (key) => at(key, readerOf),
  }
}

const readList = <T>(value: Json, path: string, read: (item: Json, path: string) => T): readonly T[] =>
  Array.isArray(value) ? value.map((item: Json, i) => read(item, `${path}[${i}]`)) : wrong(path, value, 'a list')

const readIpAt = (reader: Reader, key: string): Ip | undefined => {
  const text = reader.text(key)
  return text === undefined ? undefined : parseIp(text, `${reader.path}.${key}`)
}

const readCidrAt = (reader: Reader, key: string): Cidr => parseCidr(reader.text(key) ?? '', `${reader.path}.${key}`)

/** `object` without the members that are undefined. */
type Stated<T> = { [K in keyof T]: Exclude<T[K], undefined> }
const stated = <T extends object>(object: T): Stated<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Stated<T>

const readInterface = (value: Json, path: string): Interface => {
  const reader = readerOf(value, path)
  const { text, number } = reader
  const name = text('name') ?? ''
  const numbers = { mtu: number('mtu') || undefined }
  const texts = { mac: text('mac'), sandbox: text('sandbox'), socketPath: text('socketPath'), pciID: text('pciID') }
  return stated({ name, ...texts, ...numbers })
}

const readIpConfig = (value: Json, path: string): IpConfig => {
  const reader = readerOf(value, path)
  const address = readCidrAt(reader, 'address')
  return stated({ address, gateway: readIpAt(reader, 'gateway'), interface: reader.number('interface') })
}

const readRoute = (value: Json, path: string): Route => {
  const reader = readerOf(value, path)
  const { number } = reader
  const metrics = { mtu: number('mtu'), advmss: number('advmss'), priority: number('priority') }
  const place = { table: number('table'), scope: number('scope') }
  return stated({ dst: readCidrAt(reader, 'dst'), gw: readIpAt(reader, 'gw'), ...metrics, ...place })
}

const readDns = ({ text, list }: Reader): Dns =>
  stated({
    nameservers: list('nameservers', readText),
    domain: text('domain'),
    search: list('search', readText),
    options: list('options', readText),
  })

/** Addresses and routes of one family of a result before 0.3.0. */
const readOldIp = (reader: Reader): { ip: IpConfig; routes: readonly Route[] } => ({
  ip: stated({ address: readCidrAt(reader, 'ip'), gateway: readIpAt(reader, 'gateway') }),
  routes: reader.list('routes', readRoute) ?? [],
})

const readOldResult = (reader: Reader): Result => {
  const families = ['ip4', 'ip6'].flatMap((key) => {
    const inner = reader.inner(key)
    return inner === undefined ? [] : [readOldIp(inner)]
  })
  return { ips: families.map(({ ip }) => ip), routes: families.flatMap(({ routes }) => routes) }
}

const readResult = (reader: Reader): Result =>
  stated({
    interfaces: reader.list('interfaces', readInterface),
    ips: reader.list('ips', readIpConfig),
    routes: reader.list('routes', readRoute),
  })

const versionOf = (reader: Reader, assumed: Version): Version => {
  const version = reader.text('cniVersion') ?? assumed
  return isVersion(version) ? version : wrong(`${reader.path}.cniVersion`, version, `one of ${VERSIONS.join(', ')}`)
}

/** `json` in the shape of the newest version. Its own `cniVersion` says its shape, else `assumed` (the configuration's).
 *  @throws DecodeError below `path` */
export const parseResult = (json: Json, assumed: Version, path: string): Result => {
  const reader = readerOf(fold(json, SHAPE), path)
  const dns = reader.inner('dns')
  const read = isAtLeast(versionOf(reader, assumed), '0.3.0') ? readResult : readOldResult
  return dns === undefined ? read(reader) : { ...read(reader), dns: readDns(dns) }
}
