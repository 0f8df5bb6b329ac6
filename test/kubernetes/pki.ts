/** A certification authority made for one test, and what it signs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'

export interface ServerKeys {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

export interface Pair {
  /** Paths. */
  readonly key: string
  readonly cert: string
}

export interface Pki {
  readonly folder: string
  /** Path of the certificate that everybody trusts. */
  readonly ca: string
  readonly caKey: string
  /** A server's certificate for `addresses`: IP addresses. */
  readonly server: (name: string, addresses: readonly string[]) => Pair
  /** A client's: who it is in Kubernetes. */
  readonly client: (user: string, group: string) => Pair
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export const makePki = (): Pki => {
  const folder = makeFolder('pki')
  const [ca, caKey] = [`${folder}/ca.crt`, `${folder}/ca.key`]
  const quietly = (...args: readonly string[]) => must(['openssl', ...args])
  quietly('req', '-x509', ...CURVE, '-keyout', caKey, '-out', ca, '-subj', '/CN=test-ca', '-days', '2')
  const sign = (name: string, subject: string, extension: string): Pair => {
    const [key, cert, request, more] = ['key', 'crt', 'csr', 'ext'].map((end) => `${folder}/${name}.${end}`) as [
      string,
      string,
      string,
      string,
    ]
    quietly('req', ...CURVE, '-keyout', key, '-out', request, '-subj', subject)
    writeFileSync(more, extension)
    quietly(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      ca,
      '-CAkey',
      caKey,
      '-CAcreateserial',
      '-out',
      cert,
      '-days',
      '2',
      '-extfile',
      more,
    )
    return { key, cert }
  }
  return {
    folder,
    ca,
    caKey,
    server: (name, addresses) =>
      sign(name, `/CN=${name}`, `subjectAltName=${addresses.map((address) => `IP:${address}`).join(',')}`),
    client: (user, group) => sign(user, `/O=${group}/CN=${user}`, 'extendedKeyUsage=clientAuth'),
  }
}

/** The contents, as node:https takes them. */
export const serverKeys = ({ ca }: Pki, { key, cert }: Pair): ServerKeys => ({
  key: readFileSync(key, 'utf8'),
  cert: readFileSync(cert, 'utf8'),
  ca: readFileSync(ca, 'utf8'),
})
