/** Leases as Kubernetes has them: a node's podCIDRs are its subnets, and what its agent publishes are annotations of its Node,
 *  flannel's names and values, so that flanneld and podwire nodes are one cluster. flannel pkg/subnet/kube. */
import { readFileSync } from 'node:fs'
import type { Claim, OwnLease } from '../../overlay/claim.ts'
import type { Lease } from '../../overlay/lease.ts'
import { type Access, openAccess } from './kubernetes/access.ts'
import { annotationNames } from './kubernetes/annotations.ts'
import { type NodeObject, podCidrsOf, publicAddressesOf } from './kubernetes/node.ts'
import { findNodeName } from './kubernetes/node-name.ts'
import {
  annotate,
  annotationsOf,
  getNode,
  orStoreError,
  overwritten,
  reportNetwork,
  subnetsOf,
} from './kubernetes/own-node.ts'
import { openNodeWatch } from './kubernetes/watch.ts'
import { LeaseLost, type LeaseStore, StoreError } from './store.ts'

/** By the names of the agent's options; '' is none. */
export interface KubernetesStoreOptions {
  readonly kubeconfigFile: string
  readonly kubeApiUrl: string
  readonly kubeAnnotationPrefix: string
  readonly kubeNodeName: string
  readonly netConfigPath: string
  readonly setNodeNetworkUnavailable: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where a pod's `var/run/secrets` is found; '' for `/`. */
  readonly root?: string
  /** Ms without a byte after which a watch counts as lost. */
  readonly silence?: number
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new StoreError(`the network configuration cannot be read (--net-config-path): ${(error as Error).message}`)
  }
}

type Subnets = Pick<Lease, 'subnet' | 'ipv6Subnet'>

const subnetsIn = ({ subnet, ipv6Subnet }: Lease): Subnets => ({
  ...(subnet === undefined ? {} : { subnet }),
  ...(ipv6Subnet === undefined ? {} : { ipv6Subnet }),
})

const isHeld = ({ subnet, ipv6Subnet }: Lease, node: NodeObject): boolean => {
  const cidrs = podCidrsOf(node)
  return (subnet === undefined || subnet === cidrs[4]) && (ipv6Subnet === undefined || ipv6Subnet === cidrs[6])
}

/** @throws DecodeError for a `--kube-annotation-prefix` that makes no annotations */
export const openKubernetesStore = (options: KubernetesStoreOptions): LeaseStore => {
  const { kubeconfigFile, kubeApiUrl, env = process.env, root = '', silence } = options
  const names = annotationNames(options.kubeAnnotationPrefix)
  let nodeName = options.kubeNodeName
  // anew for each of these rare calls: a kubeconfig may have been replaced
  const access = (): Promise<Access> => openAccess({ kubeconfigFile, apiUrl: kubeApiUrl, env, root })
  const nodes = openNodeWatch({ access, names, ...(silence === undefined ? {} : { silence }) })

  const reach = async (signal: AbortSignal): Promise<Access> => {
    const reached = await access()
    nodeName = await findNodeName({ name: nodeName, env }, reached, signal)
    return reached
  }

  const publish = async (
    reached: Access,
    node: NodeObject,
    claim: Claim,
    subnets: Subnets,
    signal: AbortSignal,
  ): Promise<OwnLease> => {
    const { previous: _, ...attributes } = orStoreError(node, () => overwritten(claim, node, names))
    await annotate(reached, node, annotationsOf({ ...claim, ...attributes }, names), signal)
    return { lease: { key: node.metadata.name, ...subnets, ...attributes } }
  }

  return {
    readNetConf: async () => readText(options.netConfigPath),
    acquire: async (claim, conf, signal) => {
      const reached = await reach(signal)
      const node = await getNode(reached, nodeName, signal)
      const subnets = orStoreError(node, () => subnetsOf(node, conf))
      return publish(reached, node, claim, subnets, signal)
    },
    renew: async ({ lease }, claim, signal) => {
      const reached = await reach(signal)
      const node = await getNode(reached, nodeName, signal)
      if (!orStoreError(node, () => isHeld(lease, node)))
        throw new LeaseLost(`node ${lease.key} has other podCIDRs now: ${node.spec?.podCIDRs?.join(', ') ?? 'none'}`)
      return publish(reached, node, claim, subnetsIn(lease), signal)
    },
    watch: nodes.follow,
    publicAddresses: async (signal) => {
      const node = await getNode(await reach(signal), nodeName, signal)
      return orStoreError(node, () => publicAddressesOf(node, names))
    },
    reportReady: async (signal) => {
      if (options.setNodeNetworkUnavailable) await reportNetwork(await reach(signal), nodeName, signal)
    },
    close: () => undefined,
  }
}
