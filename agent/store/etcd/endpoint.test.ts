import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { StoreError } from '../store.ts'
import { type CertificateFiles, parseEndpoints, readCertificates } from './endpoint.ts'

const NONE: CertificateFiles = { cafile: '', certfile: '', keyfile: '' }
const CA = { ...NONE, cafile: '/ca.crt' }

describe('parseEndpoints()', () => {
  test.for<
    [text: string, files: CertificateFiles, want: readonly (readonly [host: string, port: number, tls: boolean])[]]
  >([
    [
      'http://127.0.0.1:4001,http://127.0.0.1:2379',
      NONE,
      [
        ['127.0.0.1', 4001, false],
        ['127.0.0.1', 2379, false],
      ],
    ],
    [
      ' https://etcd-1.example:2379/ , https://etcd-2.example ',
      NONE,
      [
        ['etcd-1.example', 2379, true],
        ['etcd-2.example', 2379, true],
      ],
    ],
    ['http://[2001:db8::1]:2379', NONE, [['2001:db8::1', 2379, false]]],
    ['127.0.0.1:2379', NONE, [['127.0.0.1', 2379, false]]],
    ['127.0.0.1:2379', CA, [['127.0.0.1', 2379, true]]],
    ['etcd:2379', CA, [['etcd', 2379, true]]],
    ['http://127.0.0.1:2379', CA, [['127.0.0.1', 2379, false]]],
    ['https://etcd:443', NONE, [['etcd', 443, true]]],
    ['http://etcd:80/', NONE, [['etcd', 80, false]]],
    ['https://etcd', NONE, [['etcd', 2379, true]]],
  ])('reads %s', ([text, files, want]) => {
    expect(parseEndpoints(text, files).map(({ host, port, tls }) => [host, port, tls])).toEqual(want)
  })

  test('keeps what was written, for messages', () => {
    expect(parseEndpoints('http://a:1, b:2', NONE).map(({ url }) => url)).toEqual(['http://a:1', 'b:2'])
  })

  test.for([
    'ftp://etcd:2379',
    'http://',
    'http://etcd:2379/v3',
    'http://etcd:99999',
    'http://user@etcd:2379',
    'http:// etcd',
  ])('refuses %s', (text) => {
    expect(() => parseEndpoints(text, NONE)).toThrow(StoreError)
    expect(() => parseEndpoints(text, NONE)).toThrow(`the endpoint ${JSON.stringify(text)} is none of etcd`)
  })

  test('refuses a password, and does not show it', () => {
    const refuse = () => parseEndpoints('https://root:s3@/cret@etcd:2379', NONE)
    expect(refuse).toThrow('"https://root:...@etcd:2379" is none of etcd')
    expect(refuse).toThrow('--etcd-username and --etcd-password')
    expect(refuse).not.toThrow(/s3|cret/)
  })

  test('refuses nothing at all', () => {
    expect(() => parseEndpoints(' , ', NONE)).toThrow('no endpoint of etcd is given (--etcd-endpoints)')
  })
})

describe('readCertificates()', () => {
  test('reads what is given', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pw-pem-'))
    writeFileSync(`${folder}/ca`, 'the authority')
    expect(readCertificates({ ...NONE, cafile: `${folder}/ca` })).toEqual({
      ca: Buffer.from('the authority'),
      cert: null,
      key: null,
    })
    rmSync(folder, { recursive: true })
  })

  test('names the flag of a file that cannot be read', () => {
    expect(() => readCertificates({ ...NONE, cafile: '/nowhere/ca' })).toThrow(
      "--etcd-cafile cannot be read: ENOENT: no such file or directory, open '/nowhere/ca'",
    )
  })

  test.for<CertificateFiles>([
    { ...NONE, certfile: '/c' },
    { ...NONE, keyfile: '/k' },
  ])('wants certificate and key together: %o', (files) => {
    expect(() => readCertificates(files)).toThrow('--etcd-certfile and --etcd-keyfile belong together')
  })
})
