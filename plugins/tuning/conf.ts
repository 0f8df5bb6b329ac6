/** The keys of `tuning`, typed. Upstream: containernetworking/plugins `plugins/meta/tuning`. */
import { DecodeError, quote } from '../../addr/error.ts'
import { type Mac, parseMac } from '../../addr/mac.ts'
import type { Call } from '../../cni/plugin.ts'
import { repeatedKeys } from './duplicate.ts'

export interface Sysctl {
  /** As configured: what the allowlist is matched with. */
  readonly key: string
  /** Below /proc/sys. */
  readonly path: string
  readonly value: string
}

/** Attributes of the interface; absent: left alone. */
export interface Attributes {
  readonly mac?: Mac
  /** Bytes. */
  readonly mtu?: number
  readonly promisc?: boolean
  readonly allmulti?: boolean
  readonly txQLen?: number
}

export interface TuningConf {
  readonly sysctls: readonly Sysctl[]
  readonly attributes: Attributes
  /** Absolute path. */
  readonly dataDir: string
}

/** The keys as the schema `conf/schemas/tuning.json` lets them through, on top and in `args.cni`. */
interface Settings {
  readonly sysctl?: Readonly<Record<string, string>>
  readonly mac?: string
  readonly mtu?: number
  readonly promisc?: boolean
  readonly allmulti?: boolean
  readonly txQLen?: number
}
interface Keys extends Settings {
  readonly dataDir?: string
  readonly runtimeConfig?: { readonly mac?: string }
  readonly args?: { readonly cni?: Settings }
}

const DATA_DIR = '/run/cni/tuning'

const refuse = (path: string, problem: string): never => {
  throw new DecodeError(path, problem)
}

/** Segments of a key. As in sysctl(8) the first separator decides: after `/`, dots are part of a name (`eth0.100`). */
const segmentsOf = (key: string): string[] => {
  const [slash, dot] = [key.indexOf('/'), key.indexOf('.')]
  return slash >= 0 && (dot < 0 || slash < dot) ? key.split('/') : key.replaceAll('/', '.').split('.')
}

const isSegment = (segment: string): boolean => segment !== '' && segment !== '.' && segment !== '..'

/** `key` as a path below /proc/sys, with the first IFNAME replaced. @throws DecodeError for one outside of net/ */
const sysctlPath = (key: string, ifName: string): string => {
  const segments = segmentsOf(key)
  if (segments[0] !== 'net' || segments.length < 2 || !segments.every(isSegment) || key.includes('\0'))
    refuse('$.sysctl', `${quote(key)} is not a key below net, such as "net.core.somaxconn"`)
  return segments.join('/').replace('IFNAME', () => ifName)
}

const parseSysctl = (key: string, value: string, ifName: string): Sysctl => {
  if (value.includes('\0')) refuse(`$.sysctl[${quote(key)}]`, `${quote(value)} holds a NUL`)
  return { key, path: sysctlPath(key, ifName), value }
}

const isSysctl = (path: string): boolean => path === 'sysctl' || path === 'args.cni.sysctl'

/** A key that is given twice stands twice in the text, unless with escapes: only then is a scan of the text worth its time. */
const standsTwice = (stdin: string, key: string): boolean =>
  stdin.includes('\\') || stdin.indexOf(`"${key}"`) !== stdin.lastIndexOf(`"${key}"`)

/** Keys that JSON or their spelling make the same, with no telling which is meant. */
const refuseRepeated = (stdin: string, sysctls: readonly Sysctl[]): void => {
  const [repeated] = sysctls.some(({ key }) => standsTwice(stdin, key)) ? repeatedKeys(stdin, isSysctl) : []
  if (repeated !== undefined) refuse(`$.${repeated}`, 'the key is given twice: keep one')
  const paths = new Map<string, string>()
  for (const { key, path } of sysctls) {
    if (paths.has(path)) refuse('$.sysctl', `${quote(paths.get(path))} and ${quote(key)} are the same key: keep one`)
    paths.set(path, key)
  }
}

/** What `args.cni` says wins, key by key. */
const mergedSysctls = (keys: Keys, ifName: string): Sysctl[] => {
  const [own, args] = [keys.sysctl, keys.args?.cni?.sysctl].map((sysctl) =>
    Object.entries(sysctl ?? {}).map(([key, value]) => parseSysctl(key, value, ifName)),
  ) as [Sysctl[], Sysctl[]]
  return [...own.filter(({ path }) => !args.some((other) => other.path === path)), ...args]
}

/** By precedence: args.cni.mac, runtimeConfig.mac, CNI_ARGS MAC, mac. */
const parseMacOf = (keys: Keys, call: Call): Mac | undefined => {
  const candidates = [
    ['$.args.cni.mac', keys.args?.cni?.mac],
    ['$.runtimeConfig.mac', keys.runtimeConfig?.mac],
    ['CNI_ARGS MAC', call.args.MAC],
    ['$.mac', keys.mac],
  ] as const
  const [path, text] = candidates.find(([, mac]) => mac !== undefined && mac !== '') ?? []
  return text === undefined ? undefined : parseMac(text, path)
}

const parseAttributes = (keys: Keys, call: Call): Attributes => {
  const { mtu, promisc, allmulti, txQLen } = { ...keys, ...keys.args?.cni }
  const mac = parseMacOf(keys, call)
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu }),
    ...(promisc === true ? { promisc } : {}),
    ...(allmulti === undefined ? {} : { allmulti }),
    ...(txQLen === undefined ? {} : { txQLen }),
  }
}

const parseDataDir = (dataDir = ''): string => {
  if (dataDir === '') return DATA_DIR
  if (dataDir.startsWith('/') && !dataDir.includes('\0')) return dataDir
  return refuse('$.dataDir', `${quote(dataDir)} is not an absolute path, such as "${DATA_DIR}"`)
}

/** `promisc: false` leaves the interface as it is, as upstream. */
export const parseTuningConf = (call: Call): TuningConf => {
  const keys = call.conf as Keys
  const sysctls = mergedSysctls(keys, call.ifName)
  refuseRepeated(call.stdin, sysctls)
  return { sysctls, attributes: parseAttributes(keys, call), dataDir: parseDataDir(keys.dataDir) }
}
