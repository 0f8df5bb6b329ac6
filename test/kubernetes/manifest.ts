/** The ready manifest, as objects, and its life in a cluster. */
import { readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'
import type { Cluster } from './control-plane.ts'

export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [key: string]: unknown
}

export const MANIFEST = `${import.meta.dirname}/../../conf/kubernetes/podwire.yaml`

export const manifestObjects = (): readonly ManifestObject[] =>
  loadAll(readFileSync(MANIFEST, 'utf8')) as readonly ManifestObject[]

export const objectOf = (kind: string): ManifestObject => {
  const found = manifestObjects().find((object) => object.kind === kind)
  if (found === undefined) throw new Error(`${MANIFEST} has no ${kind}`)
  return found
}

/** The files of the ConfigMap. */
export const configuration = (): Readonly<Record<string, string>> =>
  (objectOf('ConfigMap') as unknown as { readonly data: Readonly<Record<string, string>> }).data

export interface Container {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly securityContext?: {
    readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] }
  }
}

export interface Probe {
  readonly httpGet: { readonly host: string; readonly port: number; readonly path: string }
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers: readonly Container[]
  readonly volumes: readonly { readonly name: string }[]
}

export const podSpec = (): PodSpec =>
  (objectOf('DaemonSet') as unknown as { readonly spec: { readonly template: { readonly spec: PodSpec } } }).spec
    .template.spec

/** The agent's container, with the capabilities it keeps. */
export const agentContainer = (): Container & { readonly capabilities: readonly string[] } => {
  const [container] = podSpec().containers
  if (container === undefined) throw new Error('the DaemonSet has no container')
  return { ...container, capabilities: container.securityContext?.capabilities.add ?? [] }
}

/** The collection an object belongs to, in the API. */
const pathOf = ({ apiVersion, kind, metadata: { namespace } }: ManifestObject): string => {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase()}s`
}

const CREATED = 201
const CONFLICT = 409

/** Creates every object that is not there yet. @throws Error with the server's words for one that it refuses */
export const applyManifest = async ({ api }: Cluster): Promise<void> => {
  for (const object of manifestObjects()) {
    const { status, lines } = await api('POST', pathOf(object), object)
    if (status !== CREATED && status !== CONFLICT)
      throw new Error(`${object.kind} ${object.metadata.name}: ${status} ${JSON.stringify(lines)}`)
  }
}

/** How many pods its DaemonSet has made. */
export const podsMade = async ({ api }: Cluster): Promise<number> => {
  const { lines } = await api('GET', '/api/v1/namespaces/podwire/pods')
  return (lines[0] as { readonly items: readonly unknown[] }).items.length
}

/** A token of the manifest's service account, as a pod has it. */
export const tokenFor = async ({ api }: Cluster): Promise<string> => {
  const account = objectOf('ServiceAccount')
  const request = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: {} }
  const { status, lines } = await api('POST', `${pathOf(account)}/${account.metadata.name}/token`, request)
  const [{ status: granted } = {}] = lines as readonly { readonly status?: { readonly token?: string } }[]
  if (granted?.token === undefined) throw new Error(`no token: ${status} ${JSON.stringify(lines)}`)
  return granted.token
}
