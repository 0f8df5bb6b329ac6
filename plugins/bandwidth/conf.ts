/** The keys of `bandwidth`, typed. Upstream: containernetworking/plugins `plugins/meta/bandwidth`; CONVENTIONS.md. */
import { DecodeError, quote } from '../../addr/error.ts'
import type { Call } from '../../cni/plugin.ts'

/** A limit on one direction. */
export interface Limit {
  /** Bits per second. */
  readonly rate: number
  /** Bits. */
  readonly burst: number
}

export interface BandwidthConf {
  /** Of what the container receives; undefined: no limit. */
  readonly ingress: Limit | undefined
  /** Of what the container sends; undefined: no limit. */
  readonly egress: Limit | undefined
}

/** The keys as the schema `conf/schemas/bandwidth.json` lets them through. */
interface Keys {
  readonly ingressRate?: number
  readonly ingressBurst?: number
  readonly egressRate?: number
  readonly egressBurst?: number
}
type Direction = 'ingress' | 'egress'

const KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const

/** The keys and where they stand: keys in the plugin's own configuration, even when they are 0, hide the runtime's. */
const sourceOf = (call: Call): { readonly keys: Keys; readonly path: string } => {
  const inline = call.conf as Keys
  const { bandwidth } = (call.conf['runtimeConfig'] ?? {}) as { readonly bandwidth?: Keys }
  if (bandwidth === undefined || KEYS.some((key) => inline[key] !== undefined)) return { keys: inline, path: '$' }
  return { keys: bandwidth, path: '$.runtimeConfig.bandwidth' }
}

const requirePair = (path: string, direction: Direction, { rate, burst }: Limit): void => {
  const [set, unset] = rate === 0 ? ['Burst', 'Rate'] : ['Rate', 'Burst']
  if (rate === 0 || burst === 0)
    throw new DecodeError(
      `${path}.${direction}${set}`,
      `${quote(rate || burst)} needs ${direction}${unset} beside it: give both, or neither for no limit`,
    )
}

/** Bytes are what the kernel counts in. */
const requireByte = (path: string, value: number): void => {
  if (value < 8) throw new DecodeError(path, `${quote(value)} is less than a byte: give at least 8 bits`)
}

const requireExact = (path: string, value: number): void => {
  if (!Number.isSafeInteger(value))
    throw new DecodeError(path, `${quote(value)} is above ${Number.MAX_SAFE_INTEGER}, the largest rate in bits/s`)
}

const limitOf = (keys: Keys, path: string, direction: Direction): Limit | undefined => {
  const limit = { rate: keys[`${direction}Rate`] ?? 0, burst: keys[`${direction}Burst`] ?? 0 }
  if (limit.rate === 0 && limit.burst === 0) return undefined
  requirePair(path, direction, limit)
  requireExact(`${path}.${direction}Rate`, limit.rate)
  requireByte(`${path}.${direction}Rate`, limit.rate)
  requireByte(`${path}.${direction}Burst`, limit.burst)
  return limit
}

/** @throws DecodeError naming the key */
export const parseConf = (call: Call): BandwidthConf => {
  const { keys, path } = sourceOf(call)
  return { ingress: limitOf(keys, path, 'ingress'), egress: limitOf(keys, path, 'egress') }
}
