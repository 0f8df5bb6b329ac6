/** Where etcd is, from flannel's flags `--etcd-endpoints`, `--etcd-cafile`, `--etcd-certfile`, `--etcd-keyfile`. */
import { readFileSync } from 'node:fs'
import { quote } from '../../../addr/error.ts'
import { StoreError } from '../store.ts'

/** Paths; '' for none. */
export interface CertificateFiles {
  readonly cafile: string
  readonly certfile: string
  readonly keyfile: string
}

export interface Endpoint {
  /** As it was given. */
  readonly url: string
  /** `host:port`, as gRPC takes it. */
  readonly target: string
  readonly tls: boolean
}

const DEFAULT_PORT = '2379'
const SCHEMES = ['http:', 'https:']

const refuse = (text: string): StoreError =>
  new StoreError(`the endpoint ${quote(text)} is none of etcd: such as "https://192.0.2.1:2379" is`)

const parseUrl = (text: string, scheme: string): URL => {
  const isPlain = !text.includes('://')
  const url = URL.canParse(isPlain ? `${scheme}//${text}` : text)
    ? new URL(isPlain ? `${scheme}//${text}` : text)
    : undefined
  if (url === undefined || !SCHEMES.includes(url.protocol) || url.hostname === '') throw refuse(text)
  if (!['', '/'].includes(url.pathname) || url.username !== '') throw refuse(text)
  return url
}

/** Of http and https the URL parser drops the scheme's own port. */
const portOf = (url: URL, text: string): string => {
  if (url.port !== '') return url.port
  const written = /:(80|443)\/?$/.exec(text)
  return written?.[1] ?? DEFAULT_PORT
}

/** The endpoints in `text`, separated by commas. One without a scheme is spoken to by TLS when there are certificates.
 *  @throws StoreError */
export const parseEndpoints = (text: string, { cafile, certfile }: CertificateFiles): readonly Endpoint[] => {
  const scheme = cafile !== '' || certfile !== '' ? 'https:' : 'http:'
  const urls = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (urls.length === 0) throw new StoreError('no endpoint of etcd is given (--etcd-endpoints)')
  return urls.map((each) => {
    const url = parseUrl(each, scheme)
    return { url: each, target: `${url.hostname}:${portOf(url, each)}`, tls: url.protocol === 'https:' }
  })
}

/** PEM; undefined for what is not given. */
export interface Certificates {
  readonly ca: Buffer | null
  readonly cert: Buffer | null
  readonly key: Buffer | null
}

const readPem = (flag: string, path: string): Buffer | null => {
  if (path === '') return null
  try {
    return readFileSync(path)
  } catch (error) {
    throw new StoreError(`--${flag} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** What the files hold now. @throws StoreError */
export const readCertificates = ({ cafile, certfile, keyfile }: CertificateFiles): Certificates => {
  if ((certfile === '') !== (keyfile === ''))
    throw new StoreError('--etcd-certfile and --etcd-keyfile belong together: give both or neither')
  return {
    ca: readPem('etcd-cafile', cafile),
    cert: readPem('etcd-certfile', certfile),
    key: readPem('etcd-keyfile', keyfile),
  }
}
