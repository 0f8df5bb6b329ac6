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

/** The collection an object belongs to, in the API. */
const pathOf = ({ apiVersion, kind, metadata: { namespace } }: ManifestObject): string => {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase()}s`
}

/** Creates every object. @throws Error with the server's words for one that it refuses */
export const applyManifest = async ({ api }: Cluster): Promise<void> => {
  for (const object of manifestObjects()) {
    const { status, lines } = await api('POST', pathOf(object), object)
    if (status !== 201) throw new Error(`${object.kind} ${object.metadata.name}: ${status} ${JSON.stringify(lines)}`)
  }
}

export const removeManifest = async ({ api }: Cluster): Promise<void> => {
  for (const object of [...manifestObjects()].reverse())
    await api('DELETE', `${pathOf(object)}/${object.metadata.name}`)
}

/** A token of the manifest's service account, as a pod has it. */
export const tokenFor = async ({ api }: Cluster): Promise<string> => {
  const account = manifestObjects().find(({ kind }) => kind === 'ServiceAccount')
  if (account === undefined) throw new Error(`${MANIFEST} has no ServiceAccount`)
  const request = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: {} }
  const { status, lines } = await api('POST', `${pathOf(account)}/${account.metadata.name}/token`, request)
  const [{ status: granted } = {}] = lines as readonly { readonly status?: { readonly token?: string } }[]
  if (granted?.token === undefined) throw new Error(`no token: ${status} ${JSON.stringify(lines)}`)
  return granted.token
}
