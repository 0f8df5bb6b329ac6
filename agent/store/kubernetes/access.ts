/** Which API server, and as whom: a kubeconfig file, an address, or the service account of the pod this runs in. Client
 *  certificates and the server's CA are read again for every request, and so is a token that is in a file: what rotates
 *  them tells nobody. */
import { existsSync, readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { quote } from '../../../addr/error.ts'
import { StoreError } from '../store.ts'

export interface AccessOptions {
  /** Path of a kubeconfig file; '' for none. */
  readonly kubeconfigFile: string
  /** URL of the API server; '' for that of the kubeconfig or of the pod. */
  readonly apiUrl: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the pod's `var/run/secrets` is found; '' for `/`. */
  readonly root?: string
}

export interface Access {
  /** `https://10.96.0.1:443`, without a slash at its end. */
  readonly server: string
  /** TLS settings, agent and credentials of one request. @throws Error when a file of them cannot be read */
  readonly requestOptions: () => Promise<RequestOptions>
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

type Library = typeof import('./client-library.ts')

/** Loaded when first used: it takes 20 MiB, which agents with another store do not need. */
const library = (): Promise<Library> => import('./client-library.ts')

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Source {
  readonly config: KubeConfig
  readonly tokenFile?: string | undefined
}

interface KubeconfigText {
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[]
}

const parsed = (path: string, { loadYaml }: Library): KubeconfigText => {
  const text = loadYaml(readFileSync(path, 'utf8'))
  if (typeof text !== 'object' || text === null) throw new Error('it holds no object')
  return text
}

/** `tokenFile` of a user, which the library does not read; it precedes `token` (client-go rest.Config). */
const tokenFileOf = (path: string, { users = [] }: KubeconfigText, user: string | undefined): string | undefined => {
  const file = users.find(({ name }) => name === user)?.user?.tokenFile
  return file === undefined || file === '' ? undefined : resolve(dirname(path), file)
}

const fromFile = (path: string, loaded: Library): Source => {
  const config = new loaded.KubeConfig()
  try {
    const text = parsed(path, loaded)
    config.loadFromFile(path)
    return { config, tokenFile: tokenFileOf(path, text, config.getCurrentUser()?.name) }
  } catch (error) {
    throw new StoreError(`the kubeconfig ${path} cannot be used: ${wordsOf(error)}`, { cause: error })
  }
}

/** The token of the service account is sent over TLS alone. */
const fromPod = (server: string, { KubeConfig }: Library, root: string): Source => {
  const config = new KubeConfig()
  const folder = `${root}${SERVICE_ACCOUNT}`
  const isPod = existsSync(`${folder}/token`) && server.startsWith('https:')
  const cluster = { name: 'cluster', server, skipTLSVerify: false, ...(isPod ? { caFile: `${folder}/ca.crt` } : {}) }
  config.loadFromClusterAndUser(cluster, { name: 'pod' })
  return { config, ...(isPod ? { tokenFile: `${folder}/token` } : {}) }
}

/** An IPv6 address needs brackets in a URL. */
const podServer = ({
  KUBERNETES_SERVICE_HOST: host = '',
  KUBERNETES_SERVICE_PORT: port,
}: AccessOptions['env']): string => {
  if (host === '')
    throw new StoreError(
      'no API server is known: this is no pod (KUBERNETES_SERVICE_HOST is not set), and neither --kubeconfig-file nor --kube-api-url is given',
    )
  return `https://${host.includes(':') ? `[${host}]` : host}:${port ?? 443}`
}

const sourceOf = ({ kubeconfigFile, apiUrl, env, root = '' }: AccessOptions, loaded: Library): Source =>
  kubeconfigFile === ''
    ? fromPod(apiUrl === '' ? podServer(env) : apiUrl, loaded, root)
    : fromFile(kubeconfigFile, loaded)

const isUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

/** @throws StoreError naming what is missing or cannot be used */
export const openAccess = async (options: AccessOptions): Promise<Access> => {
  const { config, tokenFile } = sourceOf(options, await library())
  const cluster = config.getCurrentCluster()
  if (cluster === null)
    throw new StoreError(`the kubeconfig ${options.kubeconfigFile} names no current context with a cluster`)
  const server = (options.apiUrl === '' ? cluster.server : options.apiUrl).replace(/\/+$/, '')
  if (!isUrl(server))
    throw new StoreError(`${quote(server)} is no address of an API server: such as "https://10.0.0.1:6443" is`)
  // the library refuses http unless TLS is not to be verified, and there is none to verify
  Object.assign(cluster, { server, ...(server.startsWith('http:') ? { skipTLSVerify: true } : {}) })
  return {
    server,
    requestOptions: async () => {
      const applied: RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(applied)
      if (tokenFile === undefined) return applied
      return {
        ...applied,
        headers: { ...applied.headers, Authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` },
      }
    },
  }
}
