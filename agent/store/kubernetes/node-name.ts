/** What Kubernetes calls the node that this runs on: as told, or what the pod it runs in is scheduled to. flannel
 *  pkg/subnet/kube/kube.go `NewSubnetManager`. */
import { StoreError } from '../store.ts'
import type { Access } from './access.ts'
import { askFor } from './request.ts'

export interface NodeNameOptions {
  /** '' for that of the environment. */
  readonly name: string
  readonly env: Readonly<Record<string, string | undefined>>
}

interface Pod {
  readonly spec?: { readonly nodeName?: string }
}

const ofPod = async (access: Access, namespace: string, pod: string, signal: AbortSignal): Promise<string> => {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`
  const { spec } = (await askFor(access, { method: 'GET', path }, signal)) as Pod
  if (spec?.nodeName === undefined || spec.nodeName === '')
    throw new StoreError(`the pod ${namespace}/${pod} (POD_NAMESPACE, POD_NAME) is scheduled to no node`)
  return spec.nodeName
}

/** @throws StoreError */
export const findNodeName = async (
  { name, env }: NodeNameOptions,
  access: Access,
  signal: AbortSignal,
): Promise<string> => {
  const known = name === '' ? env['NODE_NAME'] : name
  if (known !== undefined && known !== '') return known
  const { POD_NAME: pod = '', POD_NAMESPACE: namespace = '' } = env
  if (pod !== '' && namespace !== '') return ofPod(access, namespace, pod, signal)
  throw new StoreError(
    'this node has no name in Kubernetes: give --kube-node-name, or NODE_NAME, or POD_NAME and POD_NAMESPACE in the environment',
  )
}
