/** Nodes as a cluster has them, with what flanneld writes on them: taken from `kubectl get node -o json` of a cluster with
 *  kube-flannel, and from flannel pkg/subnet/kube/kube.go. */

export interface NodeObject {
  readonly kind: 'Node'
  readonly apiVersion: 'v1'
  readonly metadata: {
    readonly name: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly podCIDR?: string; readonly podCIDRs?: readonly string[] }
  readonly status?: { readonly conditions?: readonly Condition[]; readonly images?: readonly object[] }
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly lastHeartbeatTime?: string
}

export interface Flannel {
  readonly podCIDRs: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** A Node without an agent. */
export const bareNode = (name: string, ...podCIDRs: readonly string[]): NodeObject => ({
  kind: 'Node',
  apiVersion: 'v1',
  metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
  spec: podCIDRs[0] === undefined ? {} : { podCIDR: podCIDRs[0], podCIDRs },
})

const PREFIX = 'flannel.alpha.coreos.com/'

export const flannelAnnotations = (values: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [PREFIX + name, value]))

const hex = (n: number): string => n.toString(16).padStart(2, '0')

/** What flanneld with vxlan writes on node number `n`. */
export const vxlanAnnotations = (n: number): Readonly<Record<string, string>> =>
  flannelAnnotations({
    'backend-data': `{"VNI":1,"VtepMAC":"0e:f1:00:00:${hex(n >> 8)}:${hex(n & 255)}"}`,
    'backend-type': 'vxlan',
    'kube-subnet-manager': 'true',
    'public-ip': `192.0.${2 + (n >> 8)}.${n & 255}`,
  })

/** Node number `n` (to 65,535) of a cluster with kube-flannel, vxlan and 10.0.0.0/8. */
export const flannelNode = (n: number): NodeObject => {
  const node = bareNode(`node-${n}`, `10.${n >> 8}.${n & 255}.0/24`)
  return { ...node, metadata: { ...node.metadata, annotations: vxlanAnnotations(n) } }
}
