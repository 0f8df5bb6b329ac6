/** A node whose pods are attached by bridge and portmap:
 *
 *     outside 192.0.2.2 ===== 192.0.2.1 node [ cni0 10.9.0.1/24 fd00:9:0::1/64 ] ===== pod0 .2  pod1 .3 ... */

import type { PrintedResult } from '../support/attachment.ts'
import { type Attachment, addChain, type ConfList, checkChain, delChain, gcChain } from '../support/chain.ts'
import { mustIn } from '../support/netns.ts'
import type { NodeBed } from '../support/node.ts'
import { binDir, type PluginOutput } from '../support/plugin.ts'
import { waitFor } from '../support/probe.ts'

export interface Published {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: string
  readonly hostIP?: string
}

/** The network `net<index>` on the bridge `cni<index>`: 10.9.<index>.0/24 and fd00:9:<index>::/64. */
export const list = (
  bed: NodeBed,
  portmap: object = {},
  index = 0,
  gateway: object = { isDefaultGateway: true },
): ConfList => ({
  cniVersion: '1.1.0',
  name: `net${index}`,
  plugins: [
    {
      type: 'bridge',
      bridge: `cni${index}`,
      ...gateway,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: `${bed.folder}/ipam`,
        ranges: [[{ subnet: `10.9.${index}.0/24` }], [{ subnet: `fd00:9:${index}::/64` }]],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true }, ...portmap },
  ],
})

/** One pod's attachment; `portMappings` is what the runtime publishes for it. */
export const podOf = (
  bed: NodeBed,
  pod: number,
  portMappings: readonly Published[],
  more: Partial<Attachment> = {},
): Attachment => ({
  bin: binDir(),
  node: bed.node,
  containerID: `c${pod}`,
  netns: bed.pods[pod] ?? '',
  ifName: 'eth0',
  capabilities: { portMappings },
  ...more,
})

/** Waits until the bridge is ready: a new one can ask for no IPv6 neighbour of a sender behind the node until its link-local address is sure. */
export const settle = ({ node }: NodeBed): boolean =>
  waitFor(() => mustIn(node, ['ip', '-6', 'addr', 'show', 'scope', 'link', 'tentative']) === '')

export const add = (conf: ConfList, pod: Attachment): PrintedResult => addChain(conf, pod) as PrintedResult

/** Status of every plugin's call, 0 for success, with what a failed one printed. */
export const statuses = (outputs: readonly PluginOutput[]): readonly (number | string)[] =>
  outputs.map(({ status, stdout, stderr }) => (status === 0 ? 0 : `${stdout}${stderr}`))

export const check = (conf: ConfList, pod: Attachment, result: unknown) => statuses(checkChain(conf, pod, result))
export const del = (conf: ConfList, pod: Attachment, result?: unknown) => statuses(delChain(conf, pod, result))
export const gc = (conf: ConfList, pod: Attachment, valid: readonly object[]) => statuses(gcChain(conf, pod, valid))

export const tcp = (hostPort: number, containerPort = 80, hostIP?: string): Published => ({
  hostPort,
  containerPort,
  protocol: 'TCP',
  ...(hostIP === undefined ? {} : { hostIP }),
})
export const udp = (hostPort: number, containerPort = 80): Published => ({ hostPort, containerPort, protocol: 'udp' })
