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
  /** A name or an address. */
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

const DEFAULT_PORT = '2379'
const SCHEMES = ['http:', 'https:']

/** Between a user and the host. */
const PASSWORD = /:(?!\/\/).*@/

const refuse = (text: string): StoreError => {
  const advice = PASSWORD.test(text) ? '; who asks is said by --etcd-username and --etcd-password' : ''
  const shown = quote(text.replace(PASSWORD, ':...@'))
  return new StoreError(`the endpoint ${shown} is none of etcd: such as "https://192.0.2.1:2379" is${advice}`)
}

const parseUrl = (text: string, scheme: string): URL => {
  const whole = text.includes('://') ? text : `${scheme}//${text}`
  const url = URL.canParse(whole) ? new URL(whole) : undefined
  const isBare = url !== undefined && ['', '/'].includes(url.pathname) && url.username === '' && url.hostname !== ''
  if (!isBare || !SCHEMES.includes(url.protocol)) throw refuse(text)
  return url
}

/** The URL parser drops the port that is the scheme's own. */
const portOf = ({ port }: URL, text: string): number =>
  Number(port || (/:(80|443)\/?$/.exec(text)?.[1] ?? DEFAULT_PORT))

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
    // an IPv6 address is in brackets there
    const host = url.hostname.replace(/^\[|\]$/g, '')
    return { url: each, host, port: portOf(url, each), tls: url.protocol === 'https:' }
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
