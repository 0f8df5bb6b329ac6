/** What is known, as others see it: status, readiness, the plan. No secret of a network configuration or a fact is in it. */
import { HIDDEN, withoutSecrets } from '../kernel/wireguard.ts'
import type { Lease } from '../overlay/lease.ts'
import type { NetConf } from '../overlay/net-conf.ts'
import { plannerOf } from '../overlay/planners.ts'
import type { Keeper } from './keeper.ts'
import type { Knowledge } from './knowledge.ts'
import type { Leases } from './leases.ts'
import type { Readings } from './metrics.ts'
import type { Options } from './options.ts'
import type { Reach } from './reach.ts'
import type { Reconciler } from './reconciler.ts'
import type { AgentPlan, AgentStatus, LeaseStatus, PeerStatus, ProbeStatus, StoreStatus } from './status.ts'

export interface ReportParts {
  readonly version: string
  readonly options: Options
  readonly know: Knowledge
  readonly leases: Leases
  readonly keeper: Keeper
  readonly reconciler: Reconciler
  readonly reach: Pick<Reach, 'statuses' | 'counts'>
}

export interface Report {
  readonly status: () => AgentStatus
  /** Undefined before there is one. */
  readonly plan: () => AgentPlan | undefined
  /** What readiness waits for; empty when ready. */
  readonly missing: () => readonly string[]
  readonly readings: () => Readings
}

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** Those of `value`'s members that are there. */
const defined = <T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T

const withoutPsk = (conf: NetConf): NetConf =>
  'psk' in conf.backend ? { ...conf, backend: { ...conf.backend, psk: HIDDEN } } : conf

/** Without what a URL may say of a password. */
const bare = (url: string): string => url.replaceAll(/\/\/[^/@,]*@/g, '//')

const whereOf = ({ store, storeDir, etcdEndpoints, etcdPrefix, kubeApiUrl }: Options): string => {
  if (store === 'file') return storeDir
  return store === 'etcd' ? `${bare(etcdEndpoints)} ${etcdPrefix}` : bare(kubeApiUrl) || 'the API of the cluster'
}

const storeStatus = ({ know, options }: ReportParts): StoreStatus => {
  const [trouble] = know.troubles.values()
  return {
    kind: options.store,
    where: whereOf(options),
    isWatching: know.isWatching,
    ...(know.lastEvent === undefined ? {} : { lastEvent: timeOf(know.lastEvent) }),
    ...(trouble === undefined ? {} : { error: trouble.error, retryAt: timeOf(trouble.retryAt) }),
  }
}

const leaseStatus = ({ know }: ReportParts): LeaseStatus | undefined => {
  if (know.own === undefined || know.site === undefined) return undefined
  const { lease, expires } = know.own.own
  const { key, subnet, ipv6Subnet, publicIP, publicIPv6 } = lease
  const mtu = plannerOf(know.site.conf.backend).mtu(know.site)
  return defined<LeaseStatus>({
    ...{ key, subnet, ipv6Subnet, publicIP, publicIPv6, mtu },
    expires: expires === undefined ? undefined : timeOf(expires),
  } as LeaseStatus)
}

const peerStatus = (lease: Lease, probe: ProbeStatus | undefined): PeerStatus => {
  const { key, subnet, ipv6Subnet, publicIP, publicIPv6, backendType } = lease
  return defined<PeerStatus>({ key, subnet, ipv6Subnet, publicIP, publicIPv6, backendType, probe } as PeerStatus)
}

const missingOf = ({ know, leases, keeper, reconciler }: ReportParts): readonly string[] => {
  const trouble = [...know.troubles].map(([what, { error }]) => `${what}: ${error}`)
  if (know.netConf === undefined) return ['no network configuration has been read', ...trouble]
  if (know.site === undefined) return [`no interface leads to the other nodes: ${know.siteTrouble ?? ''}`]
  if (know.own === undefined) return ['this node has no lease', ...trouble]
  if (!leases.isKnown()) return ['the leases of the other nodes have not been read', ...trouble]
  if (!know.isSettled) return ['the kernel has not been brought to the plan']
  const own = reconciler.failures().filter(({ fact }) => keeper.desired()?.base.includes(fact))
  return [
    ...own.map(
      ({ fact, error }) => `the kernel refuses a ${fact.kind}: ${error instanceof Error ? error.message : error}`,
    ),
    ...(know.subnetFileTrouble === undefined ? [] : [`subnet.env: ${know.subnetFileTrouble}`]),
  ]
}

const statusOf = (parts: ReportParts): AgentStatus => {
  const { know, keeper, reconciler, version, reach } = parts
  const [desired, admission, missing] = [keeper.desired(), keeper.admission(), missingOf(parts)]
  const found = reach.statuses()
  return defined<AgentStatus>({
    ...{ version, pid: process.pid, started: timeOf(know.started), isReady: missing.length === 0, missing },
    store: storeStatus(parts),
    netConf: know.netConf && withoutPsk(know.netConf.conf),
    netConfRefused: know.netConfRefused,
    underlay: know.site?.underlay,
    underlayTrouble: know.siteTrouble,
    devices:
      desired?.scope.devices.filter((name) =>
        desired.base.some((fact) => fact.kind === 'link' && fact.name === name),
      ) ?? [],
    lease: leaseStatus(parts),
    peers: [...(admission?.admitted.values() ?? [])].map((lease) => peerStatus(lease, found.get(lease.key))),
    rejected: [...(admission?.rejected ?? [])].map(([key, why]) => ({ key, why })),
    ...reconciler.status(),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 18) / 4,
  } as AgentStatus)
}

const planOf = ({ keeper }: ReportParts): AgentPlan | undefined => {
  const desired = keeper.desired()
  if (desired === undefined) return undefined
  const peers = [...desired.peers].map(([key, plan]) => [key, plan.map(withoutSecrets)])
  return { base: desired.base.map(withoutSecrets), peers: Object.fromEntries(peers), scope: desired.scope }
}

const readingsOf = ({ know, keeper, reconciler, reach }: ReportParts): Readings => {
  const [admission, expires] = [keeper.admission(), know.own?.own.expires]
  return {
    hasLease: know.own !== undefined,
    leaseExpires: expires === undefined ? undefined : expires / 1000,
    peers: admission?.admitted.size ?? 0,
    rejected: admission?.rejected.size ?? 0,
    failures: reconciler.failures().length,
    isStoreUp: know.isWatching,
    lastEvent: know.lastEvent === undefined ? undefined : know.lastEvent / 1000,
    isNetConfRefused: know.netConfRefused !== undefined,
    ...reach.counts(),
  }
}

export const openReport = (parts: ReportParts): Report => ({
  status: () => statusOf(parts),
  plan: () => planOf(parts),
  missing: () => missingOf(parts),
  readings: () => readingsOf(parts),
})
