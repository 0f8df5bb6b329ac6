/** Attachments as the bench makes them: configurations that both sides take word for word, and their ADD and DEL. Where a
 *  plugin has backends none is named: each side does what it does by default. */
import type { Side } from './bed.ts'
import { drive, type Job, type Run } from './driver.ts'

export type Conf = { readonly type: string; readonly [key: string]: unknown }

export const VERSION = '1.0.0'
const SUBNET = '10.244.0.0/16'

export const hostLocal = (side: Side, subnet = SUBNET, store = 'ipam'): Conf => ({
  type: 'host-local',
  ranges: [[{ subnet }]],
  dataDir: `${side.folder}/${store}`,
})

export const bridge = (side: Side, ipMasq: boolean): Conf => ({
  type: 'bridge',
  bridge: 'cni0',
  isDefaultGateway: true,
  ipMasq,
  ipam: hostLocal(side),
})

/** What a kubelet's runtime calls for a pod that publishes a port and has bandwidth annotations. */
export const fullChain = (side: Side): readonly Conf[] => [
  bridge(side, true),
  {
    type: 'portmap',
    capabilities: { portMappings: true },
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
  },
  { type: 'firewall' },
  {
    type: 'bandwidth',
    capabilities: { bandwidth: true },
    runtimeConfig: {
      bandwidth: { ingressRate: 1e8, ingressBurst: 8e6, egressRate: 1e8, egressBurst: 8e6 },
    },
  },
  { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' }, dataDir: `${side.folder}/tuning` },
]

export interface Attachment {
  readonly side: Side
  readonly pod: string
  readonly plugins: readonly Conf[]
}

/** The calls of a list's plugins: each gets the list's name and version. */
export const jobsOf = ({ side, pod, plugins }: Attachment, extra: object = {}): readonly Job[] =>
  plugins.map((plugin) => ({
    executable: `${side.bin}/${plugin.type}`,
    containerID: pod,
    netns: pod,
    conf: { cniVersion: VERSION, name: 'bench', ...plugin, ...extra },
  }))

export const add = (attachment: Attachment, wrap: readonly string[] = []): Run => {
  const { side } = attachment
  return drive({ node: side.node, bin: side.bin, verb: 'ADD', jobs: jobsOf(attachment), wrap })
}

/** DEL as libcni calls it: last plugin first, with the result of the whole chain. */
export const del = (attachment: Attachment, added: Run): Run => {
  const { side } = attachment
  const prevResult: unknown = JSON.parse(added.jobs.at(-1)?.stdout ?? '{}')
  const jobs = jobsOf(attachment, { prevResult }).toReversed()
  return drive({ node: side.node, bin: side.bin, verb: 'DEL', jobs })
}
