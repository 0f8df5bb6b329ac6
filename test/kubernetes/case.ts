/** What is tried on a real cluster: named functions that throw when something is not so. */
import type { Cluster } from './control-plane.ts'
import type { NodeObject } from './node-object.ts'
import { eventually } from './watching.ts'

export type Case = (cluster: Cluster) => Promise<void>
export type Cases = Readonly<Record<string, Case>>

export const nodeOf = async ({ api }: Cluster, name: string): Promise<NodeObject> => {
  const { status, lines } = await api('GET', `/api/v1/nodes/${name}`)
  if (status !== 200) throw new Error(`node ${name}: ${status} ${JSON.stringify(lines)}`)
  return lines[0] as NodeObject
}

/** Creates a Node and waits until kube-controller-manager has given it podCIDRs. */
export const makeClusterNode = async (cluster: Cluster, name: string): Promise<NodeObject> => {
  const body = { kind: 'Node', apiVersion: 'v1', metadata: { name, labels: { 'kubernetes.io/os': 'linux' } } }
  const { status, lines } = await cluster.api('POST', '/api/v1/nodes', body)
  if (status !== 201) throw new Error(`node ${name} cannot be made: ${status} ${JSON.stringify(lines)}`)
  let made = await nodeOf(cluster, name)
  await eventually(() => {
    void nodeOf(cluster, name).then((node) => {
      made = node
    })
    return made.spec.podCIDRs !== undefined
  }, `podCIDRs of ${name}`)
  return made
}

export const annotateNode = async (
  { api }: Cluster,
  name: string,
  annotations: Readonly<Record<string, string | null>>,
): Promise<void> => {
  const { status, lines } = await api('PATCH', `/api/v1/nodes/${name}`, { metadata: { annotations } })
  if (status !== 200) throw new Error(`node ${name} cannot be annotated: ${status} ${JSON.stringify(lines)}`)
}

/** Removes every Node. */
export const removeNodes = async ({ api }: Cluster): Promise<void> => {
  await api('DELETE', '/api/v1/nodes')
}
