/** What an agent says of itself: `GET /status` over the unix socket `agent.sock` of its run directory, as JSON. Every time is
 *  RFC 3339 in UTC. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Plan } from '../kernel/plan.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import type { Scope, Underlay } from '../overlay/planner.ts'

export interface StoreStatus {
  readonly kind: 'file' | 'etcd' | 'kubernetes'
  /** The folder, the endpoints, the API server. */
  readonly where: string
  /** A watch runs. */
  readonly isWatching: boolean
  readonly lastEvent?: string
  /** Why there is no watch, and when it is tried again. */
  readonly error?: string
  readonly retryAt?: string
}

export interface LeaseStatus {
  readonly key: string
  readonly subnet?: Cidr
  readonly ipv6Subnet?: Cidr
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
  /** Left out: never. */
  readonly expires?: string
  /** MTU of pods, bytes. */
  readonly mtu: number
}

/** What the last probe of one peer found; agent/probe*.ts. */
export interface ProbeStatus {
  readonly at: string
  readonly isReachable: boolean
  /** Milliseconds; left out when nothing came back. */
  readonly rtt?: number
  /** When a probe last came back. */
  readonly lastReachable?: string
}

export interface PeerStatus {
  readonly key: string
  readonly subnet?: Cidr
  readonly ipv6Subnet?: Cidr
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
  readonly backendType: string
  /** Left out: not probed yet, or probes are off. */
  readonly probe?: ProbeStatus
}

/** What was not as the plan has it, and what was done. */
export interface DriftStatus {
  readonly at: string
  /** The fact, as a command. */
  readonly what: string
  readonly why: 'missing' | 'different' | 'stale'
  /** How long the pass took that mended it, milliseconds. */
  readonly ms: number
}

/** A fact that the kernel refused; tried again with every resync until it holds. */
export interface FailureStatus {
  readonly what: string
  readonly error: string
}

export interface AgentStatus {
  readonly version: string
  readonly pid: number
  readonly started: string
  readonly isReady: boolean
  /** What readiness waits for, in words; empty when ready. */
  readonly missing: readonly string[]
  readonly store: StoreStatus
  /** As it is in force; left out before it was read. */
  readonly netConf?: NetConf
  /** Why a newer network configuration is not in force. */
  readonly netConfRefused?: string
  readonly underlay?: Underlay
  /** Why it cannot be found at present; the one before stays in force. */
  readonly underlayTrouble?: string
  /** Names of the overlay's links. */
  readonly devices: readonly string[]
  readonly lease?: LeaseStatus
  readonly peers: readonly PeerStatus[]
  /** Leases that are in the store and were not believed. */
  readonly rejected: readonly { readonly key: string; readonly why: string }[]
  readonly failures: readonly FailureStatus[]
  readonly passes: {
    /** The first full pass, and the last of any kind. */
    readonly first?: PassStatus
    readonly last?: PassStatus
    readonly lastResync?: string
    /** Facts mended since the start. */
    readonly mended: number
  }
  /** Resident memory, MiB. */
  readonly rssMiB: number
  /** The last 50 findings, the newest last. */
  readonly drift: readonly DriftStatus[]
}

/** How long one pass over the kernel took (encoding, sending, reading answers), and what it changed. */
export interface PassStatus {
  readonly at: string
  readonly kind: 'resync' | 'transit'
  /** Milliseconds. */
  readonly ms: number
  readonly changes: number
}

/** `GET /plan`: what the kernel must hold, part by part; for diagnosis of one peer. */
export interface AgentPlan {
  readonly base: Plan
  /** By the lease's key. */
  readonly peers: Readonly<Record<string, Plan>>
  readonly scope: Scope
}
